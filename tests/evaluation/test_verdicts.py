"""What a verdict may and may not say."""

import pytest

from pipeline.evaluation.comparison.verdicts import overall_verdict, verdict

DIFFERENCE = {"value": 0.031, "low": 0.01, "high": 0.052}


def test_no_difference_names_what_could_have_been_seen():
    sentence = verdict("auc", "plain", "adversarial", 0.4, DIFFERENCE, 0.0581)
    assert sentence == "no difference shown at this sample size (smallest detectable 0.058 in AUC)"


def test_difference_shown_names_arms_size_and_interval():
    sentence = verdict("accuracy", "plain", "adversarial", 0.003, DIFFERENCE, 0.02)
    assert sentence.startswith("difference shown: accuracy of adversarial minus plain +0.031")
    assert "+0.010 to +0.052" in sentence


def test_the_bound_itself_shows_nothing():
    assert verdict("auc", "a", "b", 0.05, DIFFERENCE, 0.1).startswith("no difference shown")


@pytest.mark.parametrize("p", [None, 0.001, 0.05, 0.9, 1.0])
@pytest.mark.parametrize("limit", [None, 0.1])
def test_a_null_is_never_accepted(p, limit):
    sentence = verdict("accuracy", "a", "b", p, DIFFERENCE, limit)
    assert "accept" not in sentence
    assert "equal" not in sentence
    assert (p is None) == sentence.startswith("not tested")


def row(test, metric, p, family="given_split", limit=0.05):
    sentence = verdict(metric, "a", "b", p, DIFFERENCE, limit)
    return {
        "test": test,
        "metric": metric,
        "p_adjusted": p,
        "family": family,
        "verdict": sentence,
        "smallest_detectable": limit,
    }


def test_overall_rests_on_the_clustered_tests():
    quiet = [
        row("clustered_permutation", "accuracy", 0.3),
        row("clustered_permutation", "auc", 0.6, limit=0.02),
    ]
    assert overall_verdict(quiet) == (
        "no difference shown at this sample size (smallest detectable 0.050 in accuracy, 0.020 in AUC)"
    )
    sentence = overall_verdict([row("mcnemar_midp", "accuracy", 0.01), *quiet])
    assert sentence.startswith("no difference shown")
    assert "McNemar's test alone" in sentence


def test_overall_says_where_a_difference_shows():
    tests = [
        row("mcnemar_midp", "accuracy", 0.01),
        row("clustered_permutation", "accuracy", 0.01),
        row("corrected_resampled_t", "accuracy", 0.7, family="resplits"),
    ]
    sentence = overall_verdict(tests)
    assert "on the given split" in sentence
    assert "no difference shown at this sample size over the resplits" in sentence
    assert "McNemar" not in sentence
    assert overall_verdict([row("clustered_permutation", "auc", None)]).startswith("not tested")


@pytest.mark.parametrize(("limits", "said"), [
    ({"auc": 2.589}, "in AUC none could be shown, however large"),
    ({"accuracy": 1.2, "auc": 2.589}, "in accuracy and AUC none could be shown, however large"),
    ({"accuracy": 0.4, "auc": 2.589}, "smallest detectable 0.400 in accuracy; in AUC none could be shown, however large"),
    ({"auc": 1.0}, "smallest detectable 1.000 in AUC"),
    ({"hd95": 4.2}, "smallest detectable 4.200 in HD95 (px)"),
    ({"macro_f1": None}, "smallest detectable in macro-F1 unknown: the arms do not vary"),
])  # fmt: skip
def test_a_limit_that_no_metric_can_reach_is_told_in_words(limits, said):
    tests = [row("corrected_resampled_t", metric, 0.4, "resplits", limit) for metric, limit in limits.items()]
    assert overall_verdict(tests) == f"no difference shown at this sample size ({said})"
    for test in tests if len(tests) == 1 else []:
        assert test["verdict"] == f"no difference shown at this sample size ({said})"
