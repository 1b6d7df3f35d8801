"""Intervals of K classes: values, clustering, the binary twin, what stays undefined."""

import json

import numpy as np
import pytest

from pipeline.engine.errors import DataError
from pipeline.evaluation.metrics.classification import class_metrics
from pipeline.evaluation.metrics.names import MULTICLASS_METRICS
from pipeline.evaluation.statistics.intervals import class_intervals, difference_interval, metric_intervals
from pipeline.evaluation.tables.rows import Rows

NAMES = ("NORMAL", "BACTERIAL", "VIRAL")


def multiclass_intervals(truth, probabilities, names, patients, **sizes):
    return class_intervals(Rows(truth, probabilities, names, patients), **sizes)


def rows_of(patients, each, classes=3, strength=1.0, seed=0):
    generator = np.random.default_rng(seed)
    truth = np.repeat(np.arange(patients) % classes, each)
    patient_noise = np.repeat(generator.normal(size=(patients, classes)), each, axis=0)
    logits = patient_noise + 0.2 * generator.normal(size=(truth.size, classes)) + strength * np.eye(classes)[truth]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return truth, probabilities, np.repeat([f"p{number}" for number in range(patients)], each)


def test_every_metric_has_its_value_inside_its_interval():
    truth, probabilities, patients = rows_of(60, 2)
    found = multiclass_intervals(truth, probabilities, NAMES, patients, seed=1, resamples=300)
    plain = class_metrics(Rows(truth, probabilities, NAMES))
    assert set(found) == {*MULTICLASS_METRICS, "per_class"}
    for name in MULTICLASS_METRICS:
        assert found[name]["value"] == pytest.approx(plain[name])
        assert found[name]["low"] < found[name]["value"] < found[name]["high"], name
    for name in NAMES:
        for metric in ("sensitivity", "f1", "auc"):
            made = found["per_class"][name][metric]
            assert made["value"] == pytest.approx(plain["per_class"][name][metric])
            assert made["low"] < made["value"] < made["high"]
    assert found == multiclass_intervals(truth, probabilities, NAMES, patients, seed=1, resamples=300)
    json.dumps(found, allow_nan=False)


def test_two_classes_have_the_binary_intervals():
    truth, probabilities, patients = rows_of(30, 3, classes=2)
    mine = multiclass_intervals(truth, probabilities, ("n", "p"), patients, seed=4, resamples=200)
    binary = metric_intervals(Rows.binary(truth, probabilities[:, 1], patients), resamples=200, seed=4)
    for name in ("accuracy", "brier"):
        assert mine[name] == pytest.approx(binary[name])
    for name in ("sensitivity", "specificity", "f1", "auc"):
        assert mine["per_class"]["p"][name] == pytest.approx(binary[name]), name


def test_scans_of_one_patient_are_not_independent():
    truth, probabilities, patients = rows_of(30, 8)
    clustered = multiclass_intervals(truth, probabilities, NAMES, patients, resamples=300)["accuracy"]
    alone = multiclass_intervals(truth, probabilities, NAMES, [""] * truth.size, resamples=300)["accuracy"]
    assert clustered["high"] - clustered["low"] > 1.5 * (alone["high"] - alone["low"])


def test_a_class_without_rows_has_neither_value_nor_interval():
    found = multiclass_intervals([0, 0], np.eye(3)[[0, 0]], NAMES, ["a", "b"], resamples=50)
    assert found["macro_auc"] == {"value": None, "low": None, "high": None}
    assert found["per_class"]["VIRAL"]["sensitivity"]["value"] is None
    assert found["accuracy"] == {"value": 1.0, "low": 1.0, "high": 1.0}


def test_resamples_that_miss_a_class_are_left_out():
    # VIRAL is one patient: a third of the resamples miss it, the others score its only row
    truth = np.array([0, 0, 0, 1, 1, 1, 2])
    chosen = np.array([0, 0, 1, 1, 1, 0, 0])
    found = multiclass_intervals(truth, np.eye(3)[chosen], NAMES, [f"p{row}" for row in range(7)], resamples=200)
    assert found["per_class"]["VIRAL"]["sensitivity"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert found["macro_recall"]["high"] <= 2 / 3


def test_differences_are_the_binary_ones_for_two_classes():
    truth, first, patients = rows_of(30, 2, classes=2, seed=1)
    _, second, _ = rows_of(30, 2, classes=2, strength=2.0, seed=2)
    arms = [Rows(truth, values, ("n", "p"), patients) for values in (first, second)]
    mine = difference_interval(*arms, {"accuracy": "accuracy", "auc:p": "auc:p"}, seed=3, resamples=200)
    binary = difference_interval(*(Rows.binary(truth, arm[:, 1], patients) for arm in (first, second)), resamples=200, seed=3)
    assert mine["accuracy"] == pytest.approx(binary["accuracy"])
    assert mine["auc:p"] == pytest.approx(binary["auc"])


def test_ids_for_other_rows_are_refused():
    truth, probabilities, patients = rows_of(6, 1)
    with pytest.raises(DataError, match="6 ids, 5 patient ids for 6 rows"):
        multiclass_intervals(truth, probabilities, NAMES, patients[:5])
