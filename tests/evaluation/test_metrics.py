"""Metrics against a hand-computed table, scikit-learn, and repeated rows."""

import numpy as np
import pytest
import sklearn.metrics as reference

from pipeline.engine.errors import DataError
from pipeline.evaluation.metrics.classification import binary_counts, metric_arrays, metric_values
from pipeline.evaluation.metrics.names import BINARY_METRICS, binary_names
from pipeline.evaluation.tables.rows import Rows

# tn 3, fp 1, fn 2, tp 4
LABELS = [0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
SCORES = [0.1, 0.2, 0.3, 0.8, 0.4, 0.45, 0.6, 0.7, 0.9, 0.95]


def binary_metrics(labels, scores, threshold=0.5):
    rows = Rows.binary(labels, scores, threshold=threshold)
    return {**binary_counts(rows), **metric_values(rows)}


def test_hand_computed_table():
    metrics = binary_metrics(LABELS, SCORES)
    assert [metrics[key] for key in ("tn", "fp", "fn", "tp")] == [3, 1, 2, 4]
    expected = {
        "accuracy": 7 / 10,
        "sensitivity": 4 / 6,
        "specificity": 3 / 4,
        "balanced_accuracy": (4 / 6 + 3 / 4) / 2,
        "ppv": 4 / 5,
        "npv": 3 / 5,
        "class_wise_mean_accuracy": 0.7,
        "f1": 8 / 11,
        "mcc": (4 * 3 - 1 * 2) / np.sqrt(5 * 6 * 4 * 5),
        # 24 pairs; the negative at 0.8 beats four positives
        "auc": 20 / 24,
        "brier": np.mean((np.array(SCORES) - LABELS) ** 2),
    }
    for name, value in expected.items():
        assert metrics[name] == pytest.approx(value), name


@pytest.mark.parametrize("decimals", [1, 6])
def test_agrees_with_scikit_learn_with_and_without_ties(decimals):
    generator = np.random.default_rng(5)
    labels = generator.integers(0, 2, 300)
    scores = np.clip(np.round(0.35 * labels + 0.7 * generator.random(300), decimals), 0, 1)
    predicted = scores >= 0.5
    metrics = binary_metrics(labels, scores)
    assert metrics["auc"] == pytest.approx(reference.roc_auc_score(labels, scores))
    assert metrics["average_precision"] == pytest.approx(reference.average_precision_score(labels, scores))
    assert metrics["mcc"] == pytest.approx(reference.matthews_corrcoef(labels, predicted))
    assert metrics["f1"] == pytest.approx(reference.f1_score(labels, predicted))
    assert metrics["balanced_accuracy"] == pytest.approx(reference.balanced_accuracy_score(labels, predicted))
    assert metrics["brier"] == pytest.approx(reference.brier_score_loss(labels, scores))


def test_weights_are_repetitions():
    generator = np.random.default_rng(6)
    labels = generator.integers(0, 2, 40).astype(bool)
    scores = np.round(generator.random((2, 40)), 1)
    weights = generator.integers(0, 4, (3, 40))
    names = binary_names("1")
    arrays = metric_arrays(Rows.binary(labels, scores), weights.astype(float), names.values())
    for draw in range(3):
        rows = np.repeat(np.arange(40), weights[draw])
        for seed in range(2):
            repeated = binary_metrics(labels[rows], scores[seed, rows])
            for name in BINARY_METRICS:
                assert arrays[names[name]][draw, seed] == pytest.approx(repeated[name]), name


def test_undefined_is_none_not_a_substitute():
    no_positive = binary_metrics([0, 0, 0], [0.1, 0.2, 0.9])
    for name in ("sensitivity", "balanced_accuracy", "auc", "average_precision", "mcc"):
        assert no_positive[name] is None, name
    assert no_positive["specificity"] == pytest.approx(2 / 3)
    nothing_called = binary_metrics([0, 1], [0.1, 0.2])
    assert nothing_called["ppv"] is None
    assert nothing_called["class_wise_mean_accuracy"] is None
    assert nothing_called["f1"] == 0


def test_constant_scores_are_chance():
    metrics = binary_metrics([0, 1, 0, 1, 1], [0.5] * 5)
    assert metrics["auc"] == 0.5
    assert metrics["average_precision"] == pytest.approx(0.6)


def test_threshold_belongs_to_the_positive_side():
    assert binary_counts(Rows.binary([1, 0], [0.5, 0.49])) == {"tn": 1, "fp": 0, "fn": 0, "tp": 1}
    assert binary_counts(Rows.binary([1, 0], [0.5, 0.49], threshold=0.51))["fn"] == 1


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([], [], "no rows"),
        ([0, 1], [0.1, np.nan], "row 1 .seed 0. is not a number"),
        ([0, 1], [0.1, 1.2], "outside"),
        ([0, 2], [0.1, 0.2], "neither 0 nor 1"),
        ([0, 1], [0.1], "expected .2,."),
        (["COVID", "x"], [0.1, 0.2], "expected 0 or 1"),
        ([[0, 1]], [[0.1, 0.2]], "expected .N,."),
    ],
)
def test_bad_input_is_refused(labels, scores, message):
    with pytest.raises(DataError, match=message):
        binary_metrics(labels, scores)
