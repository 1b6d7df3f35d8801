"""Paired comparison of classifiers of K classes: its binary twin, power, level, folds, wording."""

import json

import numpy as np
import pytest

from pipeline.engine.errors import DataError
from pipeline.evaluation.comparison.document import build_comparison
from pipeline.evaluation.comparison.tests import ComparisonSettings
from pipeline.evaluation.comparison.text import comparison_table
from pipeline.evaluation.figures.comparison import comparison_figures
from pipeline.evaluation.metrics.names import binary_names
from pipeline.evaluation.statistics.p_values import permutation_p
from pipeline.evaluation.statistics.paired_tests import clustered_permutation, mcnemar_midp
from pipeline.evaluation.statistics.resampled_tests import corrected_resampled_t
from pipeline.evaluation.tables.resplits import out_of_fold_resplits
from pipeline.evaluation.tables.rows import Rows

NAMES = ("NORMAL", "BACTERIAL", "VIRAL")
QUICK = ComparisonSettings(resamples=150, permutations=999)


def compare_classifiers(arms, truth, patients, names, folds=None, settings=None):
    rows = {name: Rows(truth, values, names, patients) for name, values in arms.items()}
    resplits = None if folds is None else out_of_fold_resplits(rows, folds, "images")
    return build_comparison({name: {"images": arm} for name, arm in rows.items()}, resplits, settings=settings)


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


@pytest.fixture
def study():
    """40 patients of 3 scans; `strong` sees more than `weak`, `twin` is as good as `weak` by another noise."""
    generator = np.random.default_rng(0)
    truth = np.repeat(np.arange(40) % 3, 3)
    patients = np.repeat([f"p{number}" for number in range(40)], 3)
    arms = {
        name: softmax(strength * np.eye(3)[truth] + generator.normal(size=(120, 3)))
        for name, strength in {"weak": 0.7, "strong": 3.0, "twin": 0.7}.items()
    }
    return arms, truth, patients


def rows_of_pair(document, a, b):
    return {(t["test"], t["metric"]): t for t in document["tests"] if (t["a"], t["b"]) == (a, b)}


def test_document(study):
    arms, truth, patients = study
    document = compare_classifiers(arms, truth, patients, NAMES, settings=QUICK)
    json.dumps(document, allow_nan=False)
    assert document["arms"] == ["weak", "strong", "twin"] and document["counts"]["images"]["clusters"] == 40
    made = rows_of_pair(document, "weak", "strong")
    names = {("clustered_permutation", metric) for metric in ("accuracy", "macro_f1", "macro_auc")}
    assert set(made) == {*names, ("mcnemar_midp", "accuracy")}
    keys = {"metric", "test", "a", "b", "statistic", "p", "p_adjusted", "effect", "n", "difference", "verdict"}
    assert all(keys <= set(test) for test in made.values())
    metrics = document["modalities"]["images"]
    for (_, metric), test in made.items():
        assert test["p"] < 0.01 and test["difference"]["low"] > 0
        gain = metrics["strong"][metric]["value"] - metrics["weak"][metric]["value"]
        assert test["difference"]["value"] == pytest.approx(gain)
        if test["test"] == "clustered_permutation":
            assert test["statistic"] == pytest.approx(gain)
    # Holm over three pairs of four tests each
    smallest = min(document["tests"], key=lambda test: test["p"])
    assert smallest["p_adjusted"] == pytest.approx(min(1, 12 * smallest["p"]))


def test_verdicts_never_accept(study):
    arms, truth, patients = study
    document = compare_classifiers(arms, truth, patients, NAMES, settings=QUICK)
    sentences = {(entry["a"], entry["b"]): entry["sentence"] for entry in document["verdicts"]}
    assert sentences["weak", "strong"].startswith("difference shown")
    assert sentences["weak", "twin"].startswith("no difference shown at this sample size (smallest detectable")
    assert "accept" not in json.dumps(document)


def test_mcnemar_counts_right_classes(study):
    arms, truth, patients = study
    made = rows_of_pair(compare_classifiers(arms, truth, patients, NAMES, settings=QUICK), "weak", "twin")
    right = [arms[name].argmax(axis=1) == truth for name in ("weak", "twin")]
    counts = int(np.sum(right[0] & ~right[1])), int(np.sum(~right[0] & right[1]))
    test = made["mcnemar_midp", "accuracy"]
    assert tuple(test["discordant"].values()) == counts and test["p"] == pytest.approx(mcnemar_midp(*counts))


def test_two_classes_are_the_binary_permutation_test():
    generator = np.random.default_rng(2)
    truth, patients = np.repeat(np.arange(30) % 2, 2), np.repeat(np.arange(10, 40), 2)
    first, second = (1 / (1 + np.exp(-(s * (2 * truth - 1) + generator.normal(size=60)))) for s in (0.3, 0.8))
    names = binary_names("1", ("accuracy", "auc")) | {"macro_auc": "macro_auc"}
    arms = [Rows.binary(truth, scores, patients) for scores in (first, second)]
    found = clustered_permutation(*arms, names, permutations=300, seed=5)
    plain = clustered_permutation(*arms, {"accuracy": "accuracy"}, permutations=300, seed=5)
    assert found["accuracy"] == plain["accuracy"]
    assert found["macro_auc"].p == pytest.approx(found["auc"].p, abs=0.01)
    assert found["macro_auc"].statistic == pytest.approx(found["auc"].statistic)


def test_macro_f1_permutation_by_brute_force(study):
    from sklearn.metrics import f1_score

    arms, truth, patients = study
    rows = [Rows(truth, arms[name], NAMES, patients) for name in ("weak", "twin")]
    codes = np.unique(patients, return_inverse=True)[1]
    found = clustered_permutation(*rows, {"macro_f1": "macro_f1"}, permutations=99, seed=7)["macro_f1"]
    chosen = [row.predicted[0] for row in rows]
    swaps = np.random.default_rng(7).random((99, 40)) < 0.5

    def gain(moved):
        a, b = np.where(moved, chosen[1], chosen[0]), np.where(moved, chosen[0], chosen[1])
        return f1_score(truth, b, average="macro") - f1_score(truth, a, average="macro")

    observed = gain(np.zeros(120, bool))
    extreme = sum(abs(gain(swap[codes])) >= abs(observed) - 1e-12 for swap in swaps)
    assert found.statistic == pytest.approx(observed) and found.p == pytest.approx((1 + extreme) / 100)


def test_equal_arms_show_nothing(study):
    arms, truth, patients = study
    document = compare_classifiers({"a": arms["weak"], "b": arms["weak"]}, truth, patients, NAMES, settings=QUICK)
    assert all(test["p"] == 1 for test in document["tests"])


def test_over_folds(study):
    arms, truth, patients = study
    folds = np.repeat(np.arange(40) // 3 % 5, 3)
    document = compare_classifiers(arms, truth, patients, NAMES, folds=folds, settings=QUICK)
    test = rows_of_pair(document, "weak", "strong")["corrected_resampled_t", "accuracy"]
    right = [arms[name].argmax(axis=1) == truth for name in ("weak", "strong")]
    gains = [float(np.mean(right[1][folds == k]) - np.mean(right[0][folds == k])) for k in range(5)]
    sizes = np.bincount(folds)
    reference = corrected_resampled_t(gains, float(np.mean(sizes / (120 - sizes))))
    assert test["n"] == 5 and test["statistic"] == pytest.approx(reference.statistic) and test["p"] == pytest.approx(reference.p)
    assert set(document["families"]) == {"given_split", "resplits"}


def test_p_counts_the_observed_and_undefined_draws():
    assert permutation_p(2.0, np.array([0.0, -2.0, 1.0, np.nan])) == pytest.approx(3 / 5)
    assert permutation_p(2.0, np.array([0.0, -2.0, 1.0, 3.0]), two_sided=False) == pytest.approx(2 / 5)
    assert permutation_p(np.nan, np.zeros(3)) is None


def test_refusals(study):
    arms, truth, patients = study
    with pytest.raises(DataError, match="no predictions"):
        compare_classifiers({}, truth, patients, NAMES)
    with pytest.raises(DataError, match="different folds"):
        compare_classifiers(arms, truth, patients, NAMES, folds=np.arange(120) % 5)
    with pytest.raises(DataError, match="1 value"):
        compare_classifiers(arms, truth, patients, NAMES, folds=np.zeros(120, int))
    with pytest.raises(DataError, match="expected"):
        compare_classifiers({"a": arms["weak"], "b": arms["weak"][:5]}, truth, patients, NAMES)


def test_as_text_and_figures(study):
    arms, truth, patients = study
    rows = {name: {"images": Rows(truth, values, NAMES, patients)} for name, values in arms.items()}
    document = build_comparison(rows, settings=QUICK)
    text = comparison_table(document)
    for entry in document["verdicts"]:
        assert f"- Images, {entry['b']} against {entry['a']}: {entry['sentence']}" in text
    assert text.count("| strong - weak") == 4
    assert "Images: 120 rows of 40 patients, 42 NORMAL, 39 BACTERIAL, 39 VIRAL; one training [95 % interval]" in text
    made = document["modalities"]["images"]["weak"]["sensitivity:VIRAL"]
    assert f"{made['value']:.3f} [{made['low']:.3f}, {made['high']:.3f}]" in text
    figures = comparison_figures(rows, document)
    assert set(figures) == {"roc", "confusion", "metrics", "calibration", "training_noise"}
    for figure in figures.values():
        figure.draw_without_rendering()
    assert [axis.get_title() for axis in figures["roc"].axes[:3]] == [f"Images: {name}" for name in NAMES]
    alone = build_comparison({"weak": rows["weak"]}, settings=QUICK)
    assert alone["tests"] == [] and "against" not in comparison_table(alone)
