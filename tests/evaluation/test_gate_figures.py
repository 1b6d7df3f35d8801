"""The gate's figures: on generated pictures with a gate that can be counted by hand, and on the real scans."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.data.gate.foreign_pictures import KINDS, PHOTOGRAPHS, foreign_pictures
from pipeline.evaluation.studies.gate_figures import gate_figures, gate_table
from tests.pictures import shaded

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "data"


@dataclass
class Said:
    valid: bool
    failed: tuple[str, ...]


class BrightIsValid:
    """Accepts what is bright on average; finds everything narrower than 256 too small."""

    def judge(self, gray, rgb, strict=False):
        return Said(gray.mean() > 128, ("dimension",) if min(gray.shape) < 256 else ())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [("cxr4", "a.png", "p1", 200), ("cxr4", "b.png", "p2", 50), ("cxr_nih", "c.png", "p3", 200)]
    rows += [("ct_covidct", f"ct{number}.png", "p4", 50) for number in range(4)]
    with (tmp_path / "manifest.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["set", "image", "patient_id"])
        for set_name, image, patient, gray in rows:
            writer.writerow([set_name, image, patient])
            cv2.imwrite(str(tmp_path / image), shaded(200, 300, gray))
    return tmp_path


def test_what_is_right_is_counted_by_kind(data):
    figures = {figure.kind: figure for figure in gate_figures(data, BrightIsValid(), every=2, foreign=0)}
    assert list(figures) == ["cxr4", "cxr_nih", "CT slices", "CT slices, X-ray size", "CT slices, X-ray shape"]
    assert [(figure.count, figure.right, figure.is_met) for figure in figures.values()] == [
        (2, 1, False), (1, 1, True), (2, 2, True), (2, 2, True), (2, 2, True),
    ]  # fmt: skip
    assert [figure.checks_accepted for figure in figures.values()] == [0, 0, 0, 2, 2]
    assert figures["cxr4"].checks_accepted_any_size == 2 and figures["cxr4"].failed == {"dimension": 2}
    # Clopper & Pearson's interval of 2 out of 2 starts at 0.025 ** (1 / 2).
    assert figures["CT slices"].low == pytest.approx(0.025**0.5) and figures["CT slices"].high == 1
    table = gate_table(list(figures.values()))
    assert table.count("MISSED") == 1 and len(table.splitlines()) == 6


def test_patients_that_the_gate_knows_are_left_out(data):
    figures = {figure.kind: figure for figure in gate_figures(data, BrightIsValid(), {"p2"}, foreign=0)}
    assert figures["cxr4"].count == figures["cxr4"].right == 1


def test_foreign_pictures_are_the_same_for_the_same_seed_and_of_every_kind():
    first, again, other = (list(foreign_pictures(seed, 4)) for seed in (1, 1, 2))
    assert [picture.name for picture in first] == [picture.name for picture in again]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(first, again, strict=True))
    assert {picture.kind for picture in first} == set(KINDS) and len(first) == 16
    assert any(a.pixels.shape != b.pixels.shape for a, b in zip(first, other, strict=True))
    assert {picture.pixels.ndim for picture in first if picture.kind == PHOTOGRAPHS} == {2, 3}
    assert all(picture.pixels.dtype == np.uint8 for picture in first)


@pytest.mark.realdata
def test_a_gate_learnt_on_one_set_holds_on_the_others_and_on_unseen_patients(tmp_path_factory):
    """Learnt from cxr4's training patients alone; cxr_nih and cxr_ieee_other are other hospitals."""
    gate, seen = _gate_of_cxr4(tmp_path_factory.mktemp("gate"))
    figures = gate_figures(REAL, gate, seen, every=6, foreign=60)
    print(gate_table(figures))
    counts = {figure.kind: figure.count for figure in figures}
    assert counts["cxr4"] > 180 and counts["cxr_nih"] == 477 and counts["cxr_ieee_other"] > 80
    assert [figure.kind for figure in figures if not figure.is_met] == []


def _gate_of_cxr4(folder: Path):
    from pipeline.data.layouts.manifest_selection import ManifestSelection, read_selected_scans
    from pipeline.data.preprocessing import Profile, preprocess
    from pipeline.data.reading.gray_reader import read_gray
    from pipeline.data.splitting.splits import DEFAULT_FRACTIONS, split_by_patient
    from pipeline.export.segmenter.gate_files import write_gate
    from pipeline.inference.gate.xray_gate import GateSection, XrayGate
    from pipeline.models.backbones.gate_backbone import build_gate_backbone
    from pipeline.training.segmenter.gate_statistics import fit_gate, gate_features

    labels = {name: name for name in ("COVID", "NORMAL", "BACTERIAL", "VIRAL")}
    selection = [ManifestSelection(sets={"cxr4": "xray"}, labels=labels)]
    scans = split_by_patient(read_selected_scans(REAL / "manifest.csv", REAL, selection), DEFAULT_FRACTIONS, seed=42)
    profile, network = Profile(modality="xray", size=224), build_gate_backbone()
    features = {
        split: gate_features(network, np.stack([preprocess(read_gray(s.path), profile) for s in scans if s.split == split]))
        for split in ("train", "valid")
    }
    entry = write_gate(folder, network, fit_gate(features["train"], features["valid"]), profile)
    return XrayGate.load(folder, GateSection(**entry)), {scan.patient_id for scan in scans if scan.split != "test"}
