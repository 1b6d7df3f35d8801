"""Many images: what fails or is refused is named and the rest go on; the table's columns are fixed."""

from __future__ import annotations

import csv
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from tiny_segmenter import write_segmenter

from pipeline.data.layouts.source_images import find_images
from pipeline.engine.errors import DataError
from pipeline.inference.segmenter.answers import answer_images, failure_summary, refuse_all_failed, write_image_answers
from pipeline.inference.segmenter.bundle import load_segmenter_bundle
from pipeline.inference.segmenter.lung_geometry import COLUMNS
from pipeline.inference.segmenter.runtimes import open_runtime
from pipeline.inference.segmenter.segmenter import Segmenter


class BrightnessGate:
    """Takes dark pictures only."""

    def __init__(self):
        self.asked = []

    def judge(self, gray, rgb, strict=False):
        self.asked.append((gray.shape, rgb is not None, strict))
        return SimpleNamespace(valid=gray.mean() < 200, failed=["brightness"], message=f"brightness {gray.mean():.0f}", checks={})


@pytest.fixture
def segmenter(tmp_path):
    bundle = load_segmenter_bundle(write_segmenter(tmp_path / "unet"))
    return Segmenter(bundle, open_runtime(bundle, "onnx"))


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "scans"
    root.mkdir()
    cv2.imwrite(str(root / "a.png"), np.full((40, 50), 90, np.uint8))
    cv2.imwrite(str(root / "b.png"), np.full((40, 50), 250, np.uint8))
    cv2.imwrite(str(root / "c.png"), np.full((40, 50, 3), (10, 90, 200), np.uint8))
    (root / "d.png").write_text("no picture")
    return root


def test_failures_are_named_and_the_rest_answered(segmenter, folder):
    seen = []
    answers = list(answer_images(segmenter, find_images([folder]), lambda image, gray, answer: seen.append(gray.shape)))
    assert [answer.error is None for answer in answers] == [True, True, True, False]
    assert "d.png" in answers[3].error and len(seen) == 3
    assert failure_summary(answers)[0] == "warning: 1 of 4 images have no answer:"
    refuse_all_failed(answers)
    with pytest.raises(DataError, match="None of the 1 images"):
        refuse_all_failed(answers[3:])


def test_the_gate_is_asked_for_each_and_its_message_is_told(segmenter, folder):
    gate = BrightnessGate()
    answers = list(answer_images(segmenter, find_images([folder]), gate=gate, strict=True))
    assert gate.asked == [((40, 50), False, True), ((40, 50), False, True), ((40, 50), True, True)]
    assert answers[1].refused and answers[1].error == "refused by the X-ray gate: brightness 250"
    assert answers[0].error is None and not answers[3].refused
    assert "2 of 4 images have no answer (1 refused by the X-ray gate)" in failure_summary(answers)[0]


def test_the_table(segmenter, folder, tmp_path):
    answers = list(answer_images(segmenter, find_images([folder])))
    write_image_answers(tmp_path / "p.csv", answers, ["ALPHA", "BETA", "GAMMA"])
    with (tmp_path / "p.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    columns = ["image", "predicted", "confidence", "prob_ALPHA", "prob_BETA", "prob_GAMMA", "error", *COLUMNS]
    assert list(rows[0]) == columns and [row["image"] for row in rows] == ["a.png", "b.png", "c.png", "d.png"]
    assert rows[0]["predicted"] == "GAMMA" and rows[0]["confidence"] == rows[0]["prob_GAMMA"]
    assert sum(float(rows[0][f"prob_{name}"]) for name in ("ALPHA", "BETA", "GAMMA")) == pytest.approx(1, abs=1e-8)
    assert int(rows[1]["lung_px_right"]) + int(rows[1]["lung_px_left"]) == 2000 and rows[0]["lung_px_left"] == "0"
    assert rows[3]["error"] and not any(rows[3][name] for name in columns if name not in ("image", "error"))
