"""The gate's figures: on made pictures that can be counted by hand, and on the real scans."""

from __future__ import annotations

import csv
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.data.gate.foreign_pictures import KINDS, PHOTOGRAPHS, foreign_pictures
from pipeline.data.gate.gate_pictures import foreign_gate_pictures, scan_pictures
from pipeline.engine.errors import DataError
from pipeline.evaluation.studies.gate_figures import (
    SeenPictures,
    fold_of_pictures,
    gate_figures,
    gate_table,
    see_pictures,
    share_interval,
    taken_out_of_fold,
)

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "data"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [("cxr4", "a.png", "p1", 200), ("cxr4", "b.png", "p2", 50), ("cxr_nih", "c.png", "p3", 200)]
    rows += [("ct_covidct", f"ct{number}.png", "p4", 50) for number in range(4)]
    with (tmp_path / "manifest.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["set", "image", "patient_id"])
        for number, (set_name, image, patient, gray) in enumerate(rows):
            writer.writerow([set_name, image, patient])
            pixels = np.random.default_rng(number).integers(gray - 20, gray + 21, (200, 300))
            cv2.imwrite(str(tmp_path / image), pixels.astype(np.uint8))
    return tmp_path


def seen_clouds(count: int = 120, patients: int = 60) -> SeenPictures:
    """X-rays around 0, CT slices around 6, others around 30, in 5 features; two scans a patient."""
    chance = np.random.default_rng(0)
    groups, kinds, names, features = [], [], [], []
    for kind, centre in (("xray", 0), ("ct", 6), ("neither", 30)):
        for number in range(count):
            groups.append(f"{kind}s")
            kinds.append(kind)
            names.append(f"{kind} {number % patients}" if kind != "neither" else "")
            features.append(chance.normal(centre, 1, 5))
    kinds = np.array(kinds)
    return SeenPictures(np.array(features), groups, kinds, np.array(names), kinds != "neither", [frozenset()] * len(kinds))


def test_what_each_group_is_taken_for_is_counted(data):
    seen = see_pictures(scan_pictures(data, every=2), lambda gray: np.array([gray.mean()]), with_checks=True)
    figures = {figure.group: figure for figure in gate_figures(seen, ["xray", "neither", "xray", *["ct"] * 5, "xray"])}
    assert list(figures) == ["cxr4", "cxr_nih", "CT slices", "CT slices, X-ray size", "CT slices, X-ray shape"]
    assert [(figure.count, figure.taken, figure.right, figure.is_met) for figure in figures.values()] == [
        (2, {"xray": 1, "neither": 1}, 0.5, False), (1, {"xray": 1}, 1.0, True), (2, {"ct": 2}, 1.0, True),
        (2, {"ct": 2}, 1.0, True), (2, {"ct": 1, "xray": 1}, 0.5, False),
    ]  # fmt: skip
    # An X-ray that is taken for neither is refused as a CT all the same.
    assert figures["cxr4"].elsewhere["ct"][0] == 1 and figures["CT slices, X-ray shape"].elsewhere["xray"][0] == 0.5
    # Clopper & Pearson's interval of 2 out of 2 starts at 0.025 ** (1 / 2).
    assert figures["CT slices"].low == pytest.approx(0.025**0.5) and figures["CT slices"].high == 1
    assert figures["cxr4"].failed["dimension"] == 2 and figures["cxr4"].pass_all_checks == 0
    table = gate_table(list(figures.values()))
    assert table.count("MISSED") == 2 and len(table.splitlines()) == 6 and "50.00 % [1.26, 98.74]" in table
    assert share_interval(1, 2) == pytest.approx((0.5, 0.01257912, 0.98742088))


def test_scans_know_their_kind_and_only_whole_ones_are_learnt_from(data):
    pictures = [*scan_pictures(data), *foreign_gate_pictures(2, 1)]
    assert [(p.group, p.kind, p.learnable) for p in pictures[:6]] == [
        ("cxr4", "xray", True), ("cxr4", "xray", True), ("cxr_nih", "xray", True), ("CT slices", "ct", True),
        ("CT slices, X-ray size", "ct", False), ("CT slices, X-ray shape", "ct", False),
    ]  # fmt: skip
    assert {p.kind for p in pictures[15:]} == {"neither"} and not any(p.learnable or p.patient for p in pictures[15:])
    assert max(pictures[4].gray.shape) == 512 and pictures[5].gray.shape == (420, 512)
    (data / "manifest.csv").write_text("set,image,patient_id\nother,a.png,p1\n")
    with pytest.raises(DataError, match="no row is of one of the sets"):
        list(scan_pictures(data))


def test_folds_keep_patients_together_and_kinds_are_told_apart_out_of_fold():
    seen = seen_clouds()
    fold = fold_of_pictures(seen)
    assert set(fold) == set(range(5))
    assert all(len(set(fold[seen.patients == name])) == 1 for name in set(seen.patients) - {""})
    np.testing.assert_array_equal(taken_out_of_fold(seen), seen.kinds)


def test_a_picture_never_helps_to_judge_itself():
    """One patient whose scans lie elsewhere: a gate that had learnt from them would accept them."""
    seen = seen_clouds()
    odd = seen.patients == "xray 3"
    seen.features[odd] += 60
    assert set(taken_out_of_fold(seen)[odd]) == {"neither"}


def test_foreign_pictures_are_the_same_for_the_same_seed_and_of_every_kind():
    first, again, other = (list(foreign_pictures(seed, 4)) for seed in (1, 1, 2))
    assert [picture.name for picture in first] == [picture.name for picture in again]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(first, again, strict=True))
    assert {picture.kind for picture in first} == set(KINDS) and len(first) == 20
    assert any(a.pixels.shape != b.pixels.shape for a, b in zip(first, other, strict=True))
    assert {picture.pixels.ndim for picture in first if picture.kind == PHOTOGRAPHS} == {2, 3}
    assert all(picture.pixels.dtype == np.uint8 for picture in first)


@pytest.mark.realdata
def test_every_kind_is_told_apart_out_of_fold_by_patient():
    """X-rays 99 %, CT slices 98 %, what is neither 99 %, and 99 % refused in another's place."""
    from pipeline.inference.gate.gate import open_gate

    measure = next(iter(open_gate().measures.values()))
    pictures = chain(scan_pictures(REAL, every=2), foreign_gate_pictures(120, 11))
    seen = see_pictures(pictures, lambda gray: measure.network.features(gray, measure.profile, {}))
    figures = gate_figures(seen, taken_out_of_fold(seen))
    print(gate_table(figures))
    counts = {figure.group: figure.count for figure in figures}
    assert counts["cxr4"] == 1360 and counts["cxr_nih"] == 477 and counts["cxr_ieee_other"] == 95 and counts["CT slices"] == 373
    assert [figure.group for figure in figures if not figure.is_met] == []
