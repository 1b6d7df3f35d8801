"""Patients and pictures on both sides of a split, and the digests that find them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.data.reading.digests import folder_digest, pixel_sha1
from pipeline.data.scans import Scan
from pipeline.data.splitting.leakage import assert_no_leakage, find_leakage


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
    assert assert_no_leakage(SCANS[2:], {scan.id: scan.id for scan in SCANS}) == []


def test_a_patient_on_both_sides_is_named_and_unknown_patients_are_not_one() -> None:
    found = find_leakage(SCANS, {})
    assert found.patients == {"p1": ("test", "train")}
    assert "p1 in test and train" in found.sentences()[0]


def test_identical_pixels_across_a_split_and_across_labels() -> None:
    hashes = {"a": "1", "c": "1", "d": "1", "e": "2", "f": "3"}
    found = find_leakage(SCANS, hashes)
    assert found.pixels == [("a", "c", "d")] == found.conflicts == found.copies
    assert "a = c = d" in assert_no_leakage(SCANS, hashes)[1]


def test_copies_on_one_side_are_no_leak() -> None:
    found = find_leakage(SCANS, {"a": "1", "c": "1"})
    assert (found.pixels, found.copies) == ([], [("a", "c")])


def test_pixel_hash_knows_shape_and_every_pixel_but_no_memory_layout() -> None:
    gray = np.arange(64, dtype=np.uint8).reshape(8, 8)
    changed = gray.copy()
    changed[7, 7] ^= 1
    assert pixel_sha1(gray) == pixel_sha1(np.asfortranarray(gray)) == pixel_sha1(gray.copy())
    assert len({pixel_sha1(other) for other in (gray, gray.reshape(4, 16), changed)}) == 3


def test_folder_digest_sees_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_bytes(b"1")
    first = folder_digest(tmp_path)
    assert folder_digest(tmp_path) == first
    (tmp_path / "sub" / "a").write_bytes(b"2")
    second = folder_digest(tmp_path)
    assert second != first
    (tmp_path / "sub" / "a").rename(tmp_path / "sub" / "b")
    assert len({first, second, folder_digest(tmp_path)}) == 3
