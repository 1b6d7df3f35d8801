"""The gate as a bundle of its own: learnt from a manifest's scans, written with its figures, and opened as commands do."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import pipeline.export.gate.gate_bundle as gate_bundle
from pipeline.engine.errors import CorruptArtifactError, DataError, UsageError
from pipeline.inference.gate.gate import open_gate

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
SHIPPED = Path(__file__).resolve().parents[2] / "pretrained" / "gate"


@pytest.fixture
def tiny(monkeypatch):
    """The tiny gates' network in the place of the backbone."""
    import tiny_gate

    def write_network(folder: Path, network) -> None:
        tiny_gate.write_gate_files(folder)
        (folder / tiny_gate.ENTRY["statistics"]).unlink()

    monkeypatch.setattr(gate_bundle, "_backbone", lambda: None)
    monkeypatch.setattr(gate_bundle, "write_gate_network", write_network)
    return tiny_gate


@pytest.fixture
def data(tiny, tmp_path) -> Path:
    """100 X-rays and 100 CT slices, two a patient."""
    folder = tmp_path / "data"
    folder.mkdir()
    with (folder / "manifest.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["set", "image", "patient_id"])
        for name, make in (("cxr4", tiny.near), ("ct_covidct", tiny.far)):
            for number in range(100):
                writer.writerow([name, f"{name}{number}.png", f"{name}:{number // 2}"])
                cv2.imwrite(str(folder / f"{name}{number}.png"), make(number, 64))
    return folder


def test_it_is_learnt_written_and_opened(data, tiny, tmp_path):
    figures = gate_bundle.write_gate_bundle(data, tmp_path / "gate", foreign=4)
    groups = {figure.group: figure for figure in figures}
    assert groups["cxr4"].right == groups["CT slices"].right == groups["text pages"].right == 1.0
    document = json.loads((tmp_path / "gate" / "bundle.json").read_text())
    assert set(document["files"]) == {"MODEL_CARD.md", "gate_backbone.onnx", "xray.npz", "ct.npz"}
    assert [group["count"] for group in document["figures"]["groups"]][:2] == [100, 100]
    card = (tmp_path / "gate" / "MODEL_CARD.md").read_text()
    assert "| cxr4 | 100 | 100 | 0 | 0 | 100.00 % [96.38, 100.00] | as CT 100.00 % [96.38, 100.00] |" in card
    gate = open_gate(tmp_path / "gate")
    assert [gate.judge(make(999, 64)).kind for make in (tiny.near, tiny.far, tiny.neither)] == ["xray", "ct", "neither"]
    (tmp_path / "gate" / "xray.npz").write_bytes(b"other")
    with pytest.raises(CorruptArtifactError, match="xray.npz was changed"):
        open_gate(tmp_path / "gate")


def test_a_folder_without_the_scans_and_one_that_is_no_bundle(data, tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not a bundle"):
        gate_bundle.write_gate_bundle(data, tmp_path / "taken")
    (data / "manifest.csv").write_text("set,image,patient_id\nother,a.png,p\n")
    with pytest.raises(DataError, match="no row is of one of the sets"):
        gate_bundle.write_gate_bundle(data, tmp_path / "gate")
    assert not (tmp_path / "gate").exists()


def test_the_shipped_gate_is_small_and_meets_what_is_asked_of_it():
    document = json.loads((SHIPPED / "bundle.json").read_text())
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 8e6
    asked = {"xray": 0.99, "ct": 0.98, "neither": 0.99}
    for group in document["figures"]["groups"]:
        assert group["right"] >= asked[group["kind"]], group["group"]
        assert all(share[0] >= 0.99 for share in group["elsewhere"].values()), group["group"]


def test_the_shipped_gate_refuses_flat_pictures_and_gradients():
    gate, across = open_gate(SHIPPED), np.linspace(0, 255, 400).astype(np.uint8)
    pictures = [np.full((300, 400), level, np.uint8) for level in (0, 128, 255)]
    pictures += [np.tile(across, (300, 1)), np.tile(across[:300, None], (1, 400))]
    assert {gate.judge(picture).kind for picture in pictures} == {"neither"}
