"""Patients and pictures on both sides of a split, and the digests that find them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.data.reading.digests import pixel_sha1
from pipeline.data.scans import Scan
from pipeline.data.splitting.leakage import find_leakage


def scan(name: str, patient: str, split: str, label: str = "COVID") -> Scan:
    return Scan(name, Path(name), "ct", label, patient, split)


SCANS = [
    scan("a", "p1", "train"),
    scan("b", "p1", "test"),
    scan("c", "p2", "train"),
    scan("d", "p3", "valid", "Non_COVID"),
    scan("e", "", "train"),
    scan("f", "", "test"),
]


def test_a_clean_split_has_no_findings() -> None:
    assert find_leakage(SCANS[2:], {scan.id: scan.id for scan in SCANS}).sentences() == []


def test_a_patient_on_both_sides_is_named_and_unknown_patients_are_not_one() -> None:
    found = find_leakage(SCANS, {})
    assert found.patients == {"p1": ("test", "train")}
    assert "p1 in test and train" in found.sentences()[0]


def test_identical_pixels_across_a_split_and_across_labels() -> None:
    hashes = {"a": "1", "c": "1", "d": "1", "e": "2", "f": "3"}
    found = find_leakage(SCANS, hashes)
    assert found.pixels == [("a", "c", "d")] == found.conflicts == found.copies
    assert "a = c = d" in found.sentences()[1]


def test_copies_on_one_side_are_no_leak() -> None:
    found = find_leakage(SCANS, {"a": "1", "c": "1"})
    assert (found.pixels, found.copies) == ([], [("a", "c")])


def test_pixel_hash_knows_shape_and_every_pixel_but_no_memory_layout() -> None:
    gray = np.arange(64, dtype=np.uint8).reshape(8, 8)
    changed = gray.copy()
    changed[7, 7] ^= 1
    assert pixel_sha1(gray) == pixel_sha1(np.asfortranarray(gray)) == pixel_sha1(gray.copy())
    assert len({pixel_sha1(other) for other in (gray, gray.reshape(4, 16), changed)}) == 3


@pytest.mark.parametrize(
    ("ids", "alike"),
    [(("P-001", "p 1"), True), (("P01", "p01"), True), (("A.7", "a_7"), True), (("1-11", "11-1"), False), (("P1", "P10"), False),
     (("7", "7.0"), True), (("07", "7.00"), True), (("1", "10"), False), (("1.2.3", "1.2.30"), False)],  # fmt: skip
)
def test_ids_that_are_one_but_for_a_slip_are_named_across_splits(ids, alike):
    def scan(number, patient, split):
        return Scan(f"{number}.png", Path("x"), "xray", "a", patient, split)

    scans = [scan(0, ids[0], "train"), scan(1, ids[1], "test"), scan(2, "q", "train")]
    found = find_leakage(scans, {})
    assert found.sentences() == [] and len(found.spelling_sentences()) == int(alike)
    same = [scan(0, ids[0], "train"), scan(1, ids[1], "train")]
    assert find_leakage(same, {}).spelling_sentences() == []
