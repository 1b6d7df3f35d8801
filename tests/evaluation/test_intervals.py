"""Bootstrap intervals against a plain loop, their coverage, edge cases and blocks."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pipeline.engine.errors import DataError
from pipeline.evaluation.metrics.classification import metric_values
from pipeline.evaluation.metrics.names import BINARY_METRICS
from pipeline.evaluation.statistics import intervals as made
from pipeline.evaluation.statistics.clusters import bootstrap_weights, cluster_codes
from pipeline.evaluation.tables.rows import Rows


def metric_intervals(labels, scores, ids, **sizes):
    return made.metric_intervals(Rows.binary(labels, scores, ids), **sizes)


def difference_interval(labels, first, second, ids, **sizes):
    return made.difference_interval(Rows.binary(labels, first, ids), Rows.binary(labels, second, ids), **sizes)


def patients_with_slices(generator, patients, slices, seeds=1, spread=1.0):
    """Slices whose difficulty is the patient's: (labels, probabilities (S, N), ids)."""
    ids = np.repeat(np.arange(patients), slices)
    labels = np.repeat(generator.integers(0, 2, patients), slices)
    difficulty = np.repeat(generator.normal(size=patients), slices)
    noise = generator.normal(size=(seeds, ids.size)) * 0.5
    logits = 2 * (labels - 0.5) + spread * difficulty + noise
    return labels, 1 / (1 + np.exp(-logits)), ids


def test_equals_a_loop_over_resampled_rows():
    labels, scores, ids = patients_with_slices(np.random.default_rng(0), 25, 3, seeds=2)
    intervals = metric_intervals(labels, scores, ids, resamples=60, seed=9)
    draws = {"auc": [], "accuracy": []}
    for weights in bootstrap_weights(cluster_codes(ids), 60, 9):
        rows = np.repeat(np.arange(labels.size), weights)
        draws["auc"].append(np.mean([roc_auc_score(labels[rows], seed[rows]) for seed in scores]))
        draws["accuracy"].append(np.mean((scores[:, rows] >= 0.5) == labels[rows]))
    for name, values in draws.items():
        low, high = np.quantile(values, [0.025, 0.975])
        assert intervals[name]["low"] == pytest.approx(low)
        assert intervals[name]["high"] == pytest.approx(high)
    mean_auc = np.mean([roc_auc_score(labels, seed) for seed in scores])
    assert intervals["auc"]["value"] == pytest.approx(mean_auc)


def test_clustered_interval_covers_where_the_row_wise_one_does_not():
    generator = np.random.default_rng(1)
    big_labels, big_scores, _ = patients_with_slices(generator, 40_000, 1)
    truth = float(np.mean((big_scores[0] >= 0.5) == big_labels))
    covered = {"patient": 0, "row": 0}
    for study in range(120):
        labels, scores, ids = patients_with_slices(generator, 50, 4)
        for name, clusters in (("patient", ids), ("row", np.arange(ids.size))):
            interval = metric_intervals(labels, scores, clusters, resamples=200, seed=study)["accuracy"]
            covered[name] += interval["low"] <= truth <= interval["high"]
    assert covered["patient"] / 120 > 0.88
    assert covered["row"] / 120 < 0.85


def test_resamples_with_one_class_are_left_out_and_too_many_of_them_leave_no_interval():
    scores = [0.2, 0.3, 0.4, 0.9]
    some = metric_intervals([0, 0, 1, 1], scores, ["a", "b", "c", "d"], resamples=400)
    assert some["auc"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    single = metric_intervals([0, 0, 0, 0], scores, ["a", "b", "c", "d"], resamples=50)
    assert single["auc"] == {"value": None, "low": None, "high": None}
    assert single["accuracy"]["value"] == 0.75
    # a quarter of the resamples lacks the only positive patient: left out of the sensitivity
    rare = metric_intervals([0, 1], [0.2, 0.9], ["a", "b"], resamples=2000, seed=4)
    assert rare["sensitivity"]["low"] == 1.0


def test_constant_scores_give_a_point_interval():
    interval = metric_intervals([0, 1] * 10, [0.5] * 20, np.arange(20), resamples=100)["auc"]
    assert interval == {"value": 0.5, "low": 0.5, "high": 0.5}


def test_difference_is_b_minus_a_and_zero_for_equal_arms():
    labels, scores, ids = patients_with_slices(np.random.default_rng(2), 30, 2)
    worse = np.clip(1 - scores, 0, 1)
    same = difference_interval(labels, scores, scores, ids, resamples=100)
    for name in BINARY_METRICS:
        assert [same[name][key] for key in ("value", "low", "high", "standard_error")] == [0, 0, 0, 0], name
    difference = difference_interval(labels, scores, worse, ids, resamples=100)["auc"]
    a, b = (metric_values(Rows.binary(labels, arm[0]))["auc"] for arm in (scores, worse))
    assert difference["value"] == pytest.approx(b - a)
    assert difference["high"] < 0 < difference["standard_error"]


def test_pairing_narrows_the_difference():
    generator = np.random.default_rng(3)
    labels, scores, ids = patients_with_slices(generator, 60, 2)
    near = np.clip(scores + generator.normal(0, 0.01, scores.shape), 0, 1)
    interval = difference_interval(labels, scores, near, ids, resamples=300)["auc"]
    single = metric_intervals(labels, scores, ids, resamples=300)["auc"]
    assert interval["high"] - interval["low"] < 0.3 * (single["high"] - single["low"])


def test_training_noise_is_the_spread_over_seeds():
    labels = [0, 0, 1, 1]
    noise = made.training_noise(Rows.binary(labels, [[0.1, 0.2, 0.8, 0.9], [0.1, 0.9, 0.8, 0.9], [0.9, 0.9, 0.8, 0.9]]))
    expected = {"sd": np.std([1, 0.75, 0.5], ddof=1), "min": 0.5, "max": 1.0, "seeds": 3}
    assert noise["accuracy"] == pytest.approx(expected)
    assert made.training_noise(Rows.binary(labels, [0.1, 0.2, 0.8, 0.9]))["accuracy"]["sd"] is None


def test_nan_is_refused():
    with pytest.raises(DataError, match="diverged"):
        metric_intervals([0, 1], [np.nan, 0.4], ["a", "b"])


def test_resamples_are_drawn_in_blocks(python_calls):
    """Their time grows in NumPy, not in Python: a loop over resamples would call at least once for each."""
    labels, scores, ids = patients_with_slices(np.random.default_rng(4), 200, 2, seeds=10)
    few, many = (
        python_calls(lambda count=count: metric_intervals(labels, scores, ids, resamples=count)) for count in (200, 2000)
    )
    assert many - few < 1800


@pytest.mark.parametrize("patients", [["p"] * 8, ["p"] * 4 + ["q"] * 4])
def test_one_patient_has_no_interval(patients):
    """Resamples of one patient are all alike: an interval of no width would pass for certainty."""
    one = len(set(patients)) == 1
    labels, (first, second) = np.tile([0, 1], 4), np.random.default_rng(0).random((2, 8))
    difference = difference_interval(labels, first, second, patients)
    for found in (metric_intervals(labels, first, patients), difference):
        assert found["accuracy"]["value"] is not None
        assert (found["accuracy"]["low"] is None) == (found["accuracy"]["high"] is None) == one
    assert (difference["accuracy"]["standard_error"] is None) == one
    interval = made.patient_mean_interval(np.arange(8.0), patients, 0)
    assert interval["value"] == 3.5 and (interval["low"] is None) == one
