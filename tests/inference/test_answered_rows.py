"""Many cases: what fails or is refused is named and the rest go on; the tables' columns are fixed."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_segmenter import CLASS_NAMES, write_segmenter

from pipeline.data.layouts.pair_table import PairRow
from pipeline.data.layouts.source_images import NOTE_ALONE, find_images
from pipeline.data.masks.lung_geometry import COLUMNS
from pipeline.data.reading.scan_reader import read_scan_here
from pipeline.engine.errors import CorruptArtifactError, DataError
from pipeline.inference.answered_rows import (
    AnsweredRow,
    answer_pairs,
    answer_rows,
    count_scans,
    failure_summary,
    failures,
    refuse_all_failed,
    refuse_many_failures,
    write_class_table,
    write_findings_table,
)
from pipeline.inference.answers import Answer, Finding
from pipeline.inference.bundle import open_bundle
from tests.pictures import shaded

TOLD = ["gate", "distance", "distance_threshold", "seen", "warnings"]


@pytest.fixture
def rows(tmp_path) -> list[AnsweredRow]:
    """Four images through a segmenter, the last of them none."""
    segmenter, root = open_bundle(write_segmenter(tmp_path / "unet")), tmp_path / "scans"
    root.mkdir()
    for name, gray in (("a", 90), ("b", 250), ("c", 120)):
        cv2.imwrite(str(root / f"{name}.png"), shaded(40, 50, gray))
    (root / "d.png").write_text("no picture")

    def ask(image):
        answer = segmenter.answer(image.path)
        return answer.without_pictures(answer.geometry)

    return list(answer_rows(find_images([root]), ask))


def test_failures_are_named_and_the_rest_answered(rows):
    assert [row.answer.error is None for row in rows] == [True, True, True, False]
    assert "d.png" in rows[3].answer.error and [row.id for row, _ in failures(rows)] == ["d.png"]
    assert failure_summary(rows)[0] == "warning: 1 of 4 images have no answer:"
    assert failure_summary(rows[3:]) == [] and failure_summary(rows[:3]) == []
    refuse_all_failed(rows)
    with pytest.raises(DataError, match="None of the 1 images"):
        refuse_all_failed(rows[3:])


def test_pictures_are_let_go_of(rows):
    assert all(row.answer.lung_mask is None and row.answer.lung_probs is None for row in rows)
    drawn = Answer((Finding("xray", activations={"gradcam": np.zeros((4, 4))}),), features=np.ones(3))
    assert drawn.without_pictures().activations == {} and drawn.without_pictures().features.size == 3


def test_a_broken_bundle_stops_everything():
    def ask(image):
        raise CorruptArtifactError("the graph is broken")

    with pytest.raises(CorruptArtifactError):
        list(answer_rows([NOTE_ALONE], ask))


def test_what_the_gate_refused_is_counted_apart():
    refused = AnsweredRow("a.png", Answer((Finding("", error="looks like a cat", gate="neither", refused=True),)))
    unread = AnsweredRow("b.png", Answer.failed("no picture"))
    assert failure_summary([refused, unread])[0] == "warning: 2 of 2 images have no answer (1 refused by the gate):"
    with pytest.raises(DataError, match="--no-gate"):
        refuse_all_failed([refused, unread])
    many = [AnsweredRow(f"{number}.png", unread.answer) for number in range(9)]
    assert failure_summary(many)[-1] == "  … and 4 more" and len(failure_summary(many)) == 7
    with pytest.raises(DataError, match=r"Nothing is left.*Give an image"):
        refuse_all_failed([AnsweredRow("", Answer.failed("Nothing is left of the note."))])


def test_more_failures_than_allowed_are_refused_and_the_table_named(rows):
    refuse_many_failures(rows, 0.25, Path("out/predictions.csv"))
    with pytest.raises(DataError, match=r"1 of 4 images have no answer \(limit 5%; first: d.png: .*out/predictions.csv names"):
        refuse_many_failures(rows, 0.05, Path("out/predictions.csv"))


def test_a_pair_counts_its_scans_and_its_own_failure_not_again(bundle, scans):
    pairs = [
        PairRow("1", scans["xray"], scans["text"]),
        PairRow("2", scans["xray"], None),
        PairRow("3", None, None, {"label": "COVID"}),
    ]
    rows = answer_pairs(open_bundle(bundle), pairs)
    assert count_scans(rows) == 4 and [(row.id, finding.modality) for row, finding in failures(rows)] == [("1", "ct"), ("3", "")]
    assert failure_summary(rows, "scans")[0] == "warning: 2 of 4 scans have no answer:"
    assert failure_summary(rows, "scans")[1].startswith("  1 CT: ") and rows[2].label == "COVID"
    assert failure_summary(rows, "scans")[2] == "  3: the row names neither an X-ray nor a CT"


def read(path: Path) -> list[list[str]]:
    with path.open(newline="") as stream:
        return list(csv.reader(stream))


def test_the_table_by_class(rows, tmp_path):
    write_class_table(tmp_path / "p.csv", rows, CLASS_NAMES, measured=COLUMNS)
    header, *lines = read(tmp_path / "p.csv")
    assert header == ["image", "predicted", "confidence", "prob_ALPHA", "prob_BETA", "prob_GAMMA", "error", *COLUMNS, *TOLD]
    found = [dict(zip(header, line, strict=True)) for line in lines]
    assert [row["image"] for row in found] == ["a.png", "b.png", "c.png", "d.png"]
    assert found[0]["predicted"] == "GAMMA" and found[0]["confidence"] == found[0]["prob_GAMMA"]
    assert sum(float(found[0][f"prob_{name}"]) for name in CLASS_NAMES) == pytest.approx(1, abs=1e-8)
    assert int(found[1]["lung_px_right"]) + int(found[1]["lung_px_left"]) == 2000 and found[0]["lung_px_left"] == "0"
    assert found[3]["error"] and not any(found[3][name] for name in header if name not in ("image", "error", "gate"))


def test_what_is_known_of_a_case_stands_after_its_answer(tmp_path):
    told = {"gate": "xray", "distance": 1.5, "distance_threshold": 1.25, "seen": "chosen on"}
    finding = Finding("xray", {"A": 0.25, "B": 0.75}, predicted="B", confidence=0.75, **told)
    answer = Answer((finding,), warnings=("far", "away"), extra={"used": "image"})
    rows = [
        AnsweredRow("1.png", answer, {"label": "A", "patient_id": ""}),
        AnsweredRow("2.png", Answer.failed("no picture"), {"label": "B"}),
    ]
    write_class_table(tmp_path / "p.csv", rows, ["A", "B"], "true_class")
    assert read(tmp_path / "p.csv") == [
        ["image", "predicted", "confidence", "prob_A", "prob_B", "error", "true_class", "used", *TOLD],
        ["1.png", "B", "0.75", "0.25", "0.75", "", "A", "image", "xray", "1.5", "1.25", "chosen on", "far away"],
        ["2.png", "", "", "", "", "no picture", "B", "", "", "", "", "", ""],
    ]


def test_the_table_by_modality(tmp_path):
    rows = [
        AnsweredRow("a", Answer((
            Finding("xray", probability=1 / 3, predicted="Non_COVID", gate="not asked"),
            Finding("ct", error="b,ad", gate="neither", distance=3.0, distance_threshold=2.0, warnings=("window chosen",)),
        )), {"label": "COVID"}),
        AnsweredRow("b", Answer((Finding("xray", probability=1e-12, predicted="Non_COVID"),)), {"label": ""}),
    ]  # fmt: skip
    write_findings_table(tmp_path / "answers.csv", rows)
    assert read(tmp_path / "answers.csv") == [
        ["id", "modality", "probability", "predicted", "error", "label", *TOLD],
        ["a", "xray", "0.333333333", "Non_COVID", "", "COVID", "not asked", "", "", "", ""],
        ["a", "ct", "", "", "b,ad", "COVID", "neither", "3", "2", "", "window chosen"],
        ["b", "xray", "1e-12", "Non_COVID", "", "", "", "", "", "", ""],
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["answers.csv"]


def test_scans_of_several_cases_are_decoded_apart(tmp_path, monkeypatch):
    """A folder's files are read in other processes, a single one in this; what crashes a decoder costs one answer."""
    segmenter, root, opened = open_bundle(write_segmenter(tmp_path / "unet")), tmp_path / "scans", []
    root.mkdir()
    for name in "abc":
        cv2.imwrite(str(root / f"{name}.png"), shaded(40, 50, 120))
    crash = DataError("b.png: its decoder crashed over it (SIGSEGV).", "Leave it out.")

    class Pool:
        def read(self, path, *, slice, with_colour):
            opened.append(path.name)
            if path.name == "b.png":
                raise crash
            return read_scan_here(path, slice, with_colour)

    monkeypatch.setattr("pipeline.data.reading.decoder_pool.shared_pool", Pool)
    answered = list(answer_rows(find_images([root]), lambda image: segmenter.answer(image.path)))
    assert opened == ["a.png", "b.png", "c.png"]
    assert [row.answer.error for row in answered] == [None, crash.message, None]
    assert list(answer_rows(find_images([root / "b.png"]), lambda image: segmenter.answer(image.path)))[0].answer.error is None
    assert opened == ["a.png", "b.png", "c.png"]
