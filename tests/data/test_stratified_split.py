"""The original's image-level split, on names alone."""

import random
from collections import Counter
from pathlib import Path

import pytest

from pipeline.data.scans import SPLITS, Scan
from pipeline.data.splitting.stratified_split import stratified_split
from pipeline.engine.errors import DataError

DOCUMENTED = {
    "COVID": (2531, 543, 542),
    "Lung_Opacity": (4208, 902, 902),
    "Normal": (7134, 1529, 1529),
    "Viral Pneumonia": (942, 201, 202),
}


def names_of(counts):
    return [
        Scan(key, Path(key), "xray", label)
        for label, count in counts.items()
        for key in (f"{label}/images/{label}-{number}.png" for number in range(1, count + 1))
    ]


@pytest.fixture(scope="module")
def database():
    return names_of({label: sum(counts) for label, counts in DOCUMENTED.items()})


def test_full_database_has_the_documented_counts(database):
    counted = Counter((scan.label, scan.split) for scan in stratified_split(database))
    assert Counter(scan.split for scan in stratified_split(database)) == {"train": 14_815, "valid": 3_175, "test": 3_175}
    assert {label: tuple(counted[label, split] for split in SPLITS) for label in DOCUMENTED} == DOCUMENTED


def test_order_of_the_scans_has_no_say_and_is_kept(database):
    shuffled = random.Random(1).sample(database, len(database))
    placed = stratified_split(shuffled)
    assert [scan.id for scan in placed] == [scan.id for scan in shuffled]
    assert {scan.id: scan.split for scan in placed} == {scan.id: scan.split for scan in stratified_split(database)}
    assert stratified_split(shuffled, seed=43) != placed


def test_other_fractions():
    placed = stratified_split(names_of({"a": 100, "b": 50}), {"train": 0.6, "valid": 0.1, "test": 0.3})
    counted = Counter((scan.label, scan.split) for scan in placed)
    assert counted == {("a", "train"): 60, ("a", "valid"): 10, ("a", "test"): 30, ("b", "train"): 30, ("b", "valid"): 5,
                       ("b", "test"): 15}  # fmt: skip


def test_too_few_scans_and_scans_that_have_a_split():
    with pytest.raises(DataError, match="class 'b': 5 scans cannot be split"):
        stratified_split(names_of({"a": 100, "b": 5}))
    assert {scan.split for scan in stratified_split(names_of({"a": 6, "b": 6}))} == set(SPLITS)
    with pytest.raises(DataError, match="has the split 'test' already"):
        stratified_split([Scan("x", Path("x"), "xray", "a", split="test")])
