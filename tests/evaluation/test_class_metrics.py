"""Metrics of K classes against a hand-computed table, scikit-learn, the binary metrics and repeated rows."""

import json

import numpy as np
import pytest
import sklearn.metrics as reference

from pipeline.engine.errors import DataError
from pipeline.evaluation.metrics.classification import binary_counts, class_metrics, metric_arrays, metric_values
from pipeline.evaluation.metrics.names import MULTICLASS_METRICS
from pipeline.evaluation.tables.rows import Rows

NAMES = ("NORMAL", "BACTERIAL", "VIRAL")


def multiclass_metrics(truth, probabilities, names, positive_class=None, predicted=None):
    return class_metrics(Rows(truth, probabilities, names, positive_class=positive_class, predicted=predicted))


def binary_metrics(truth, scores, threshold=0.5):
    rows = Rows.binary(truth, scores, threshold=threshold)
    return {**binary_counts(rows), **metric_values(rows)}


def random_rows(rows=200, classes=3, seed=3, decimals=2):
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, classes, rows)
    logits = generator.normal(size=(rows, classes)) + 1.2 * np.eye(classes)[truth]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    if decimals:
        probabilities = np.round(probabilities, decimals)
        probabilities[:, 0] += 1 - probabilities.sum(axis=1)
        probabilities = np.clip(probabilities, 0, 1)
    return truth, probabilities


def one_hot(indices, classes=3):
    return np.eye(classes)[indices]


def test_hand_computed_table():
    # confusion: NORMAL 3 1 0, BACTERIAL 0 2 2, VIRAL 1 0 1
    truth = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]
    chosen = [0, 0, 0, 1, 1, 1, 2, 2, 0, 2]
    found = multiclass_metrics(truth, one_hot(chosen), NAMES, positive_class="VIRAL")
    assert found["confusion"] == [[3, 1, 0], [0, 2, 2], [1, 0, 1]]
    assert found["accuracy"] == pytest.approx(0.6)
    assert found["macro_recall"] == found["balanced_accuracy"] == pytest.approx((3 / 4 + 2 / 4 + 1 / 2) / 3)
    assert found["macro_precision"] == pytest.approx((3 / 4 + 2 / 3 + 1 / 3) / 3)
    assert found["weighted_precision"] == pytest.approx((4 * 3 / 4 + 4 * 2 / 3 + 2 * 1 / 3) / 10)
    assert found["macro_specificity"] == pytest.approx((5 / 6 + 5 / 6 + 6 / 8) / 3)
    assert found["macro_f1"] == pytest.approx((6 / 8 + 4 / 7 + 2 / 5) / 3)
    # expected agreement (4*4 + 4*3 + 2*3) / 100
    assert found["cohen_kappa"] == pytest.approx((0.6 - 0.34) / 0.66)
    assert found["brier"] == pytest.approx(0.4)
    viral = {"recall": 1 / 2, "sensitivity": 1 / 2, "precision": 1 / 3, "specificity": 6 / 8, "npv": 6 / 7, "f1": 2 / 5}
    assert found["positive_class"] == "VIRAL" and found["positive"] == found["per_class"]["VIRAL"]
    assert {name: found["positive"][name] for name in viral} == pytest.approx(viral)
    assert found["positive"]["support"] == 2


@pytest.mark.parametrize("decimals", [1, None])
def test_agrees_with_scikit_learn(decimals):
    truth, probabilities = random_rows(decimals=decimals)
    chosen = probabilities.argmax(axis=1)
    found = multiclass_metrics(truth, probabilities, NAMES)
    for average in ("macro", "weighted"):
        precision, recall, f1, _ = reference.precision_recall_fscore_support(truth, chosen, average=average)
        assert found[f"{average}_precision"] == pytest.approx(precision)
        assert found[f"{average}_recall"] == pytest.approx(recall)
        assert found[f"{average}_f1"] == pytest.approx(f1)
        # scikit-learn's own multi-class form insists on sums of exactly 1
        auc = reference.roc_auc_score(one_hot(truth), probabilities, average=average)
        assert found[f"{average}_auc"] == pytest.approx(auc)
        ap = reference.average_precision_score(one_hot(truth), probabilities, average=average)
        assert found[f"{average}_average_precision"] == pytest.approx(ap)
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(truth, chosen))
    assert found["cohen_kappa"] == pytest.approx(reference.cohen_kappa_score(truth, chosen))
    assert found["mcc"] == pytest.approx(reference.matthews_corrcoef(truth, chosen))
    if decimals is None:
        assert found["log_loss"] == pytest.approx(reference.log_loss(truth, probabilities))
        assert found["brier"] == pytest.approx(reference.brier_score_loss(truth, probabilities, scale_by_half=True))
    assert found["confusion"] == reference.confusion_matrix(truth, chosen).tolist()


def test_two_classes_are_the_binary_metrics():
    truth, probabilities = random_rows(classes=2, decimals=None)
    found = multiclass_metrics(truth, probabilities, ("NORMAL", "PNEUMONIA"), positive_class="PNEUMONIA")
    binary = binary_metrics(truth, probabilities[:, 1])
    pairs = {"sensitivity": "sensitivity", "specificity": "specificity", "precision": "ppv", "npv": "npv", "f1": "f1"}
    for mine, theirs in {**pairs, "auc": "auc", "average_precision": "average_precision"}.items():
        assert found["positive"][mine] == pytest.approx(binary[theirs]), mine
    for name in ("accuracy", "balanced_accuracy", "brier", "mcc"):
        assert found[name] == pytest.approx(binary[name]), name


def test_weights_are_repetitions():
    truth, probabilities = random_rows(rows=60, decimals=1)
    weights = np.random.default_rng(1).integers(0, 4, (3, 60))
    names = (*MULTICLASS_METRICS, "auc:VIRAL", "mean_recall")
    made = metric_arrays(Rows(truth, probabilities, NAMES), weights.astype(float), names)
    for draw in range(3):
        rows = np.repeat(np.arange(60), weights[draw])
        repeated = multiclass_metrics(truth[rows], probabilities[rows], NAMES)
        for name in MULTICLASS_METRICS:
            assert made[name][draw, 0] == pytest.approx(repeated[name]), name
        assert made["auc:VIRAL"][draw, 0] == pytest.approx(repeated["per_class"]["VIRAL"]["auc"])
        assert made["mean_recall"][draw, 0] == pytest.approx(repeated["macro_recall"])


def test_only_what_is_asked_for_is_computed(monkeypatch):
    from pipeline.evaluation.metrics import classification

    asked = []
    ranking = classification.weighted_ranking
    monkeypatch.setattr(classification, "weighted_ranking", lambda *given: asked.append(1) or ranking(*given))
    truth, probabilities = random_rows()
    rows = Rows(truth, np.stack([probabilities] * 2), NAMES)
    metric_arrays(rows, np.ones((1, 200)), ("accuracy", "macro_f1", "brier"))
    assert not asked
    metric_arrays(rows, np.ones((1, 200)), ("auc:VIRAL", "average_precision:VIRAL"))
    assert len(asked) == 2


def test_a_metric_that_there_is_not():
    truth, probabilities = random_rows()
    with pytest.raises(DataError, match="no metric 'macro_recal'. Did you mean 'macro_recall'"):
        metric_arrays(Rows(truth, probabilities, NAMES), np.ones((1, 200)), ("macro_recal",))
    with pytest.raises(DataError, match="Did you mean 'VIRAL'"):
        metric_arrays(Rows(truth, probabilities, NAMES), np.ones((1, 200)), ("f1:VIRUL",))


def test_what_is_undefined_is_none_and_json_takes_it():
    # VIRAL has no row and is never chosen; BACTERIAL has rows and is never chosen
    found = multiclass_metrics([0, 0, 1], one_hot([0, 0, 0]), NAMES)
    json.dumps(found, allow_nan=False)
    assert found["classes_without_rows"] == ["VIRAL"]
    assert found["per_class"]["VIRAL"]["recall"] is None and found["per_class"]["VIRAL"]["auc"] is None
    assert found["per_class"]["BACTERIAL"]["precision"] is None and found["per_class"]["BACTERIAL"]["recall"] == 0
    assert found["macro_precision"] is None and found["weighted_precision"] is None
    assert found["macro_recall"] == pytest.approx(0.5) and found["macro_f1"] == pytest.approx((0.8 + 0) / 2)
    assert found["macro_auc"] == pytest.approx(0.5)
    alone = multiclass_metrics([0, 0], one_hot([0, 0]), NAMES)
    assert alone["accuracy"] == 1 and alone["cohen_kappa"] is None and alone["mcc"] is None and alone["macro_auc"] is None


def test_classes_decided_by_a_threshold():
    truth, probabilities = random_rows(classes=2, decimals=None)
    chosen = (probabilities[:, 1] >= 0.2).astype(int)
    found = multiclass_metrics(truth, probabilities, ("n", "p"), "p", predicted=chosen)
    binary = binary_metrics(truth, probabilities[:, 1], threshold=0.2)
    assert found["positive"]["sensitivity"] == pytest.approx(binary["sensitivity"])
    assert found["accuracy"] == pytest.approx(binary["accuracy"]) and found["positive"]["auc"] == pytest.approx(binary["auc"])


@pytest.mark.parametrize(
    ("truth", "probabilities", "names", "positive", "said"),
    [
        ([0, 3], one_hot([0, 1]), NAMES, None, "outside 0 .. 2"),
        ([0, -1], one_hot([0, 1]), NAMES, None, "outside 0 .. 2"),
        ([0.0, 1.0], one_hot([0, 1]), NAMES, None, "expected integers"),
        ([0], one_hot([0, 1]), NAMES, None, "True class has shape (1,), expected (2,)"),
        ([], np.empty((0, 3)), NAMES, None, "no rows"),
        ([0, 1], one_hot([0, 1], 2), NAMES, None, "expected (N, 3)"),
        ([0, 1], [[0.5, 0.1, 0.1], [1, 0, 0]], NAMES, None, "sum to 0.7"),
        ([0, 1], [[np.nan, 0.5, 0.5], [1, 0, 0]], NAMES, None, "row 0 (seed 0) is not a number"),
        ([0, 1], [[-1.0, 1, 1], [1, 0, 0]], NAMES, None, "outside [0, 1]"),
        ([0, 1], one_hot([0, 1]), ("a", "a", "b"), None, "each once"),
        ([0, 1], one_hot([0, 1]), NAMES, "BACTERIA", "Did you mean 'BACTERIAL'"),
    ],
)
def test_refusals(truth, probabilities, names, positive, said):
    with pytest.raises(DataError, match=said.replace("(", r"\(").replace(")", r"\)").replace("[", r"\[")):
        multiclass_metrics(truth, probabilities, names, positive)
