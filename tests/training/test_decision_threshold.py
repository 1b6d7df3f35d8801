"""Thresholds by hand, against scikit-learn's ROC, and applied to other rows."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_curve

from pipeline.engine.errors import DataError, UsageError
from pipeline.evaluation.metrics.classification import binary_counts, metric_values
from pipeline.evaluation.tables.rows import Rows
from pipeline.training.classifier.decision_threshold import choose_threshold

LABELS = [0, 0, 0, 0, 1, 0, 1, 1, 1, 1]
SCORES = [0.05, 0.1, 0.2, 0.3, 0.35, 0.4, 0.6, 0.7, 0.8, 0.9]


def judged_at(rows):
    return {**binary_counts(rows), **metric_values(rows)}


def test_by_hand():
    # above 0.4 four of five positives and all five negatives; above 0.3 all positives, one negative wrong
    youden = choose_threshold(LABELS, SCORES)
    assert youden.rule == "youden" and youden.value == pytest.approx(0.5)
    assert (youden.sensitivity, youden.specificity) == pytest.approx((0.8, 1.0))
    sensitive = choose_threshold(LABELS, SCORES, "sensitivity", 0.95)
    assert sensitive.value == pytest.approx(0.325) and sensitive.specificity == pytest.approx(0.8)
    assert (sensitive.rule, sensitive.target) == ("sensitivity", 0.95)
    specific = choose_threshold(LABELS, SCORES, "specificity", 0.9)
    assert specific.value == pytest.approx(0.5) and specific.specificity == 1
    best = choose_threshold(LABELS, SCORES, "max_f1")
    assert best.value == pytest.approx(0.325) and best.f1 == pytest.approx(10 / 11)


@pytest.mark.parametrize("decimals", [1, 6])
def test_best_of_all_thresholds(decimals):
    generator = np.random.default_rng(8)
    labels = generator.integers(0, 2, 200)
    scores = np.round(np.clip(0.3 * labels + 0.7 * generator.random(200), 0, 1), decimals)
    false_rate, sensitivity, _ = roc_curve(labels, scores, drop_intermediate=False)
    youden = choose_threshold(labels, scores)
    assert youden.sensitivity + youden.specificity - 1 == pytest.approx(np.max(sensitivity - false_rate))
    at = judged_at(Rows.binary(labels, scores, threshold=youden.value))
    assert (at["sensitivity"], at["specificity"]) == pytest.approx((youden.sensitivity, youden.specificity))
    found = choose_threshold(labels, scores, "sensitivity", 0.9)
    assert found.sensitivity >= 0.9
    assert found.specificity == pytest.approx(np.max(1 - false_rate[sensitivity >= 0.9]))
    f1 = max(f1_score(labels, scores >= edge) for edge in np.unique(scores))
    assert choose_threshold(labels, scores, "max_f1").f1 == pytest.approx(f1)


def test_the_chosen_threshold_is_applied_unchanged():
    generator = np.random.default_rng(9)
    test_labels, test_scores = generator.integers(0, 2, 50), generator.random(50)
    chosen = choose_threshold(LABELS, SCORES, "sensitivity", 0.95)
    judged = judged_at(Rows.binary(test_labels, test_scores, threshold=chosen.value))
    called = test_scores >= 0.325
    assert judged["sensitivity"] == pytest.approx(called[test_labels == 1].mean())
    assert judged["fp"] == np.sum(called & (test_labels == 0))


def test_predicted_index_names_the_positive_class():
    probabilities, truth = [[0.7, 0.3], [0.6, 0.4], [0.2, 0.8]], [0, 0, 1]
    for names, threshold in ((("n", "p"), 0.4), (("p", "n"), 0.65)):
        rows = Rows(truth, probabilities, names, positive_class="p", threshold=threshold)
        assert rows.predicted.tolist() == [[0, 1, 1]]
    three = Rows([0, 1, 2], np.eye(3) * 0.3 + 0.7 / 3, ("a", "p", "c"), positive_class="p", threshold=0.1)
    assert three.predicted.tolist() == [[0, 1, 2]] and not three.is_binary


@pytest.mark.parametrize(
    ("labels", "scores", "rule", "target", "error", "said"),
    [
        (LABELS, SCORES, "yuden", None, UsageError, "Did you mean 'youden'"),
        (LABELS, SCORES, "sensitivity", None, UsageError, "Give it a target"),
        (LABELS, SCORES, "youden", 0.5, UsageError, "takes no target"),
        ([1, 1], [0.2, 0.3], "youden", None, DataError, "both classes"),
        ([0, 1], [1.0, 0.5], "specificity", 0.9, DataError, "No threshold has a specificity of 0.9"),
    ],
)
def test_refusals(labels, scores, rule, target, error, said):
    with pytest.raises(error, match=said):
        choose_threshold(labels, scores, rule, target)
