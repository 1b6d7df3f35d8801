"""Means over scans with intervals over patients, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.engine.errors import DataError
from pipeline.evaluation.statistics.intervals import measured_intervals
from pipeline.evaluation.tables.rows import MeasuredRows

NAMES = ("A", "B", "C")


def segmentation_intervals(values, classes, names, patients, **sizes):
    return measured_intervals(MeasuredRows(values, classes, names, patients), **sizes)


def test_means_overall_and_by_class():
    made = segmentation_intervals({"dice": [1.0, 0.8, 0.6], "hd95": [0, 4, 8]}, [0, 0, 1], NAMES, ["p", "q", "r"])
    assert made["dice"]["value"] == pytest.approx(0.8) and made["hd95"]["value"] == 4 and made["scans"] == 3
    assert made["per_class"]["A"]["dice"]["value"] == 0.9 and made["per_class"]["A"]["scans"] == 2
    assert made["per_class"]["C"] == {
        "dice": {"value": None, "low": None, "high": None}, "hd95": {"value": None, "low": None, "high": None}, "scans": 0,
    }  # fmt: skip
    assert made["worst_class_dice"]["class"] == "B" and made["worst_class_dice"]["value"] == 0.6


def test_whole_patients_are_drawn():
    """Scans of one patient say nothing more than one of them: the interval is as wide as with one scan each."""
    chance = np.random.default_rng(0)
    scores = chance.uniform(0.5, 1, 12)
    patients = np.array([f"p{number}" for number in range(12)])
    apart = segmentation_intervals({"dice": scores}, np.zeros(12, int), ("A",), patients)
    again = segmentation_intervals({"dice": scores.repeat(5)}, np.zeros(60, int), ("A",), patients.repeat(5))
    loose = segmentation_intervals({"dice": scores.repeat(5)}, np.zeros(60, int), ("A",), [""] * 60)
    width = {name: made["dice"]["high"] - made["dice"]["low"] for name, made in
             {"apart": apart, "again": again, "loose": loose}.items()}  # fmt: skip
    assert width["again"] == pytest.approx(width["apart"], rel=1e-9) and width["loose"] < 0.6 * width["apart"]


def test_a_seed_gives_the_same_interval():
    scores = np.random.default_rng(1).uniform(0.5, 1, 20)
    values, classes, patients = {"dice": scores}, np.arange(20) % 3, [f"p{n // 2}" for n in range(20)]
    first, second = (segmentation_intervals(values, classes, NAMES, patients, seed=3) for _ in range(2))
    assert first == second != segmentation_intervals(values, classes, NAMES, patients, seed=4)


@pytest.mark.parametrize("values", [{"dice": []}, {"dice": [0.5], "iou": [0.1, 0.2]}])
def test_nothing_or_unequal_lengths(values):
    with pytest.raises(DataError):
        segmentation_intervals(values, [0] * len(values["dice"]), NAMES, [""] * len(values["dice"]))
