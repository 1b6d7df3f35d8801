"""Properties that every split by patient must have."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.data.scans import CLASS_NAMES, Scan
from pipeline.data.splitting.splits import (
    DEFAULT_FRACTIONS,
    assign_splits,
    carve_validation,
    grouped_folds,
    split_by_patient,
)
from pipeline.engine.errors import DataError

QUICK = settings(max_examples=40, deadline=None)


def scan(
    number: int,
    patient: str,
    label: str = "COVID",
    modality: str = "xray",
    split: str = "",
    source: str = "a",
) -> Scan:
    return Scan(f"{modality}/{number:05}.png", Path(f"{number}.png"), modality, label, patient, split, source)


@st.composite
def data_sets(draw: st.DrawFn) -> list[Scan]:
    """5…25 patients in each of 2…4 (source, label) strata, 1…6 scans each."""
    strata = draw(st.lists(st.sampled_from(["a", "b"]), min_size=2, max_size=4))
    scans: list[Scan] = []
    for place, source in enumerate(strata):
        label = CLASS_NAMES[place % 2]
        for patient, count in enumerate(draw(st.lists(st.integers(1, 6), min_size=5, max_size=25))):
            name = f"{place}:{patient}"
            scans += [scan(len(scans) + copy, name, label, source=source) for copy in range(count)]
    return scans


def patients_by_split(scans: list[Scan]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for one in scans:
        found[one.split].add(one.patient_id)
    return found


@QUICK
@given(data_sets(), st.integers(0, 2**31 - 1))
def test_no_patient_is_on_two_sides_and_nothing_is_lost(scans: list[Scan], seed: int) -> None:
    placed = split_by_patient(scans, DEFAULT_FRACTIONS, seed)
    assert [replace(one, split="") for one in placed] == scans
    sides = patients_by_split(placed)
    assert set(sides) == set(DEFAULT_FRACTIONS)
    assert sum(map(len, sides.values())) == len({one.patient_id for one in scans})


@QUICK
@given(data_sets(), st.integers(0, 2**31 - 1))
def test_fractions_hold_in_every_stratum(scans: list[Scan], seed: int) -> None:
    placed = split_by_patient(scans, DEFAULT_FRACTIONS, seed)
    strata = Counter((one.source, one.label) for one in placed)
    found = Counter((one.source, one.label, one.split) for one in placed)
    largest: dict[tuple[str, str], int] = defaultdict(int)
    for (source, label, _), count in Counter((s.source, s.label, s.patient_id) for s in placed).items():
        largest[(source, label)] = max(largest[(source, label)], count)
    for (source, label), total in strata.items():
        for split, share in DEFAULT_FRACTIONS.items():
            assert found[(source, label, split)] > 0
            assert abs(found[(source, label, split)] - share * total) <= 2 * largest[(source, label)]


@QUICK
@given(data_sets(), st.integers(0, 2**31 - 1), st.randoms(use_true_random=False))
def test_the_same_seed_gives_the_same_split_in_any_order(
    scans: list[Scan], seed: int, shuffler: random.Random
) -> None:
    first = {one.id: one.split for one in split_by_patient(scans, DEFAULT_FRACTIONS, seed)}
    shuffled = list(scans)
    shuffler.shuffle(shuffled)
    assert {one.id: one.split for one in split_by_patient(shuffled, DEFAULT_FRACTIONS, seed)} == first


@QUICK
@given(data_sets(), st.integers(0, 2**31 - 1), st.floats(0.1, 0.4))
def test_carving_takes_from_train_alone(scans: list[Scan], seed: int, fraction: float) -> None:
    split = split_by_patient(scans, {"train": 0.8, "test": 0.2}, seed)
    counts = Counter((s.label, s.patient_id) for s in split if s.split == "train")
    assume(min(Counter(label for label, _ in counts).values()) >= 2)
    carved = carve_validation(split, fraction, seed)
    for before, after in zip(split, carved, strict=True):
        assert before.split == "test" if after.split == "test" else before.split == "train"
    sides = patients_by_split(carved)
    assert not sides["train"] & sides["valid"]
    assert not sides["test"] & (sides["train"] | sides["valid"])
    assert {s.label for s in carved if s.split == "valid"} == set(CLASS_NAMES)


@settings(max_examples=20, deadline=None)
@given(data_sets(), st.integers(0, 2**31 - 1), st.integers(2, 5))
def test_folds_keep_groups_whole_and_do_not_depend_on_order(scans: list[Scan], seed: int, folds: int) -> None:
    labels = np.array([s.label for s in scans])
    groups = np.array([s.patient_id for s in scans])
    fold = grouped_folds(labels, groups, folds, seed)
    assert fold.dtype == np.int64 and set(fold) == set(range(folds))
    assert all(len(set(fold[groups == group])) == 1 for group in set(groups))
    order = np.random.default_rng(seed).permutation(len(scans))
    np.testing.assert_array_equal(grouped_folds(labels[order], groups[order], folds, seed), fold[order])


def two_classes(patients: int, modality: str = "xray", split: str = "") -> list[Scan]:
    return [
        scan(1000 * place + number, f"{modality}{label}{number}", label, modality, split)
        for place, label in enumerate(CLASS_NAMES)
        for number in range(patients)
    ]


def test_seeds_differ() -> None:
    scans = two_classes(40)
    splits = {tuple(s.split for s in split_by_patient(scans, DEFAULT_FRACTIONS, seed)) for seed in range(5)}
    assert len(splits) == 5


def test_many_equal_patients_are_split_to_the_scan() -> None:
    placed = split_by_patient(two_classes(100), DEFAULT_FRACTIONS, 1)
    assert Counter((s.label, s.split) for s in placed) == {
        (label, split): count
        for label in CLASS_NAMES
        for split, count in {"train": 70, "valid": 15, "test": 15}.items()
    }


def test_a_patient_with_both_modalities_stays_together() -> None:
    scans = two_classes(30) + [replace(s, id=f"ct/{s.id}", modality="ct") for s in two_classes(30)]
    placed = assign_splits(scans, 3)
    by_patient: dict[str, set[str]] = defaultdict(set)
    for one in placed:
        by_patient[one.patient_id].add(one.split)
    assert all(len(found) == 1 for found in by_patient.values())


def test_a_modality_without_split_follows_the_patient_of_one_that_has() -> None:
    ct = [
        replace(s, id=f"ct/{s.id}", modality="ct", split=("train", "valid", "test")[n % 3])
        for n, s in enumerate(two_classes(30))
    ]
    placed = assign_splits(two_classes(30) + ct, 3)
    side = {s.patient_id: s.split for s in ct}
    assert all(s.split == side[s.patient_id] for s in placed)


def test_a_named_validation_is_left_alone() -> None:
    scans = [
        s
        for split in ("train", "valid", "test")
        for s in (
            replace(s, id=split + s.id, patient_id=split + s.patient_id) for s in two_classes(5, split=split)
        )
    ]
    assert assign_splits(scans, 3) == scans


def test_a_leaking_train_scan_is_not_moved_to_test() -> None:
    scans = two_classes(20, split="train")
    leak = replace(scans[0], id="leak", split="test")
    carved = carve_validation([*scans, leak], 0.2, 3)
    assert carved[0].split in ("train", "valid")
    assert carved[-1].split == "test"


def test_unknown_patients_are_warned_of_once_with_their_number() -> None:
    heard: list[str] = []
    scans = [replace(s, patient_id="") if n % 2 else s for n, s in enumerate(two_classes(20))]
    split_by_patient(scans, DEFAULT_FRACTIONS, 0, heard.append)
    assert len(heard) == 1 and heard[0].startswith("20 of 40 scans")


@pytest.mark.parametrize(
    ("scans", "cause"),
    [
        (two_classes(2), "2 patients cannot be split"),
        ([s for s in two_classes(20) if s.label == "COVID"], "only the class 'COVID'"),
        (two_classes(20, split="train"), "needs train and test"),
        (
            two_classes(20, split="train") + [replace(two_classes(20)[0], id="x")],
            "1 of 41 scans have no split",
        ),
        (
            [*two_classes(20, split="train"), replace(two_classes(1, split="test")[0], id="t")],
            "no scan of class",
        ),
    ],
)
def test_what_cannot_be_split_is_refused(scans: list[Scan], cause: str) -> None:
    with pytest.raises(DataError, match=cause):
        assign_splits(scans, 0, warn=lambda message: None)


@pytest.mark.parametrize(
    "fractions", [{"train": 0.7, "test": 0.2}, {"train": 1.2, "test": -0.2}, {"train": 0.5, "x": 0.5}]
)
def test_fractions_must_be_shares(fractions: dict[str, float]) -> None:
    with pytest.raises(DataError, match="sum to 1"):
        split_by_patient(two_classes(20), fractions, 0)


def test_folds_need_as_many_patients() -> None:
    with pytest.raises(DataError, match="3 patients"):
        grouped_folds(["a"] * 3 + ["b"] * 9, list(range(12)), 4, 0)
