"""Metrics by group against scikit-learn, a planted gap found, an absent one not, small groups, refusals."""

import json

import numpy as np
import pytest
from sklearn.metrics import f1_score, recall_score, roc_auc_score

from pipeline.engine.errors import DataError
from pipeline.evaluation.studies.fairness import FairnessSettings
from pipeline.evaluation.studies.fairness import fairness as fairness_of
from pipeline.evaluation.studies.patient_groups import patient_groups
from pipeline.evaluation.tables.rows import Rows

NAMES = ("NORMAL", "PNEUMONIA")
THREE = ("NORMAL", "BACTERIAL", "VIRAL")
QUICK = FairnessSettings(resamples=100, permutations=199)


def fairness(truth, probabilities, groups, patients, names, positive=None, predicted=None, column="group", settings=None):
    if probabilities is not None and np.ndim(probabilities) == 1:
        rows = Rows.binary(truth, probabilities, patients, class_names=names)
    else:
        values = np.eye(len(names))[predicted] if probabilities is None else probabilities
        scored = probabilities is not None
        rows = Rows(truth, values, names, patients, positive_class=positive, predicted=predicted, scored=scored)
    return fairness_of(rows, groups, column, settings)


def make_rows(patients=160, each=1, handicap=0.0, seed=0, groups=("F", "M")):
    """Patients in `groups` by turns; the last group's signal is weaker by `handicap`."""
    generator = np.random.default_rng(seed)
    truth = np.repeat(generator.integers(0, 2, patients), each)
    group = np.repeat([groups[number % len(groups)] for number in range(patients)], each)
    strength = np.where(group == groups[-1], 2.0 - handicap, 2.0)
    logits = strength * (2 * truth - 1) / 2 + np.repeat(generator.normal(size=patients), each)
    return truth, 1 / (1 + np.exp(-logits)), group, np.repeat(np.arange(1000, 1000 + patients), each)


def test_values_by_group_are_scikit_learns():
    truth, scores, group, patients = make_rows(groups=("F", "M", "X"))
    found = fairness(truth, scores, group, patients, NAMES, "PNEUMONIA", column="sex", settings=QUICK)
    json.dumps(found, allow_nan=False)
    for name in ("F", "M", "X"):
        rows = group == name
        made = found["groups"][name]
        assert made["rows"] == rows.sum() and made["by_class"]["PNEUMONIA"] == truth[rows].sum()
        values = {metric: entry["value"] for metric, entry in made["metrics"].items()}
        assert values["auc"] == pytest.approx(roc_auc_score(truth[rows], scores[rows]))
        assert values["sensitivity"] == pytest.approx(recall_score(truth[rows], scores[rows] >= 0.5))
        assert values["specificity"] == pytest.approx(recall_score(truth[rows], scores[rows] >= 0.5, pos_label=0))
        assert values["f1"] == pytest.approx(f1_score(truth[rows], scores[rows] >= 0.5))
        assert made["metrics"]["auc"]["low"] < values["auc"] < made["metrics"]["auc"]["high"]
        assert made["metrics"]["sensitivity"]["patients"] == truth[rows].sum()
    gap = found["gaps"]["auc"]
    aucs = {name: found["groups"][name]["metrics"]["auc"]["value"] for name in ("F", "M", "X")}
    assert gap["value"] == pytest.approx(max(aucs.values()) - min(aucs.values()))
    assert gap["worst"] == min(aucs, key=aucs.get) and gap["best"] == max(aucs, key=aucs.get)
    briers = {name: found["groups"][name]["metrics"]["brier"]["value"] for name in ("F", "M", "X")}
    assert found["gaps"]["brier"]["worst"] == max(briers, key=briers.get) and found["gaps"]["brier"]["value"] >= 0


def test_a_planted_gap_is_shown_and_the_group_named():
    truth, scores, group, patients = make_rows(patients=400, handicap=1.8)
    found = fairness(truth, scores, group, patients, NAMES, "PNEUMONIA", column="sex", settings=QUICK)
    gap = found["gaps"]["auc"]
    assert gap["worst"] == "M" and gap["p_adjusted"] < 0.05 and gap["low"] > 0
    assert gap["verdict"].startswith("gap shown: AUC of M")
    assert found["worst_group"] == {"group": "M", "metric": "balanced_accuracy"}
    # Holm over the eight metrics
    smallest = min(found["gaps"].values(), key=lambda entry: entry["p"])
    assert smallest["p_adjusted"] == pytest.approx(min(1, 8 * smallest["p"]))


def test_no_gap_is_not_called_fair():
    truth, scores, group, patients = make_rows(seed=3)
    found = fairness(truth, scores, group, patients, NAMES, "PNEUMONIA", column="sex", settings=QUICK)
    for gap in found["gaps"].values():
        assert gap["verdict"].startswith("no gap shown at this sample size") and "does not show" in gap["verdict"]


def test_level_with_unequal_mixes_and_several_groups():
    """Groups alike but for their share of the positive class: permuting without regard to class would always reject."""
    generator = np.random.default_rng(0)
    rejected = dict.fromkeys(("accuracy", "sensitivity"), 0)
    settings = FairnessSettings(resamples=2, permutations=59, smallest=5)
    for _ in range(10):
        group = np.repeat(["a", "b", "c"], 50)
        truth = (generator.random(150) < np.repeat([0.2, 0.5, 0.8], 50)).astype(int)
        chosen = np.where(generator.random(150) < np.where(truth == 1, 0.95, 0.5), truth, 1 - truth)
        found = fairness(truth, None, group, np.arange(150), NAMES, "PNEUMONIA", predicted=chosen, settings=settings)
        for metric in rejected:
            rejected[metric] += found["gaps"][metric]["p"] < 0.05
    assert max(rejected.values()) <= 3  # of 10 tests at the level of 0.05; more are met once in 1000


def test_permutation_keeps_a_patients_rows_together():
    # ten copies of each row: as rows the gap would be certain, as patients it is chance
    truth, scores, group, patients = make_rows(patients=40, seed=5, handicap=1.0)
    once = fairness(truth, scores, group, patients, NAMES, "PNEUMONIA", settings=QUICK)["gaps"]["accuracy"]
    many = [np.repeat(part, 10) for part in (truth, scores, group, patients)]
    copied = fairness(*many, NAMES, "PNEUMONIA", settings=QUICK)["gaps"]["accuracy"]
    alone = fairness(*many[:3], np.arange(400), NAMES, "PNEUMONIA", settings=QUICK)["gaps"]["accuracy"]
    assert copied["value"] == pytest.approx(once["value"]) and copied["p"] == pytest.approx(once["p"], abs=0.01)
    assert alone["p"] < copied["p"] and alone["standard_error"] < copied["standard_error"] / 2


def test_small_groups_are_shown_and_not_ranked():
    truth, scores, group, patients = make_rows(patients=100)
    group = np.where(np.arange(100) < 6, "X", group)
    found = fairness(truth, scores, group, patients, NAMES, "PNEUMONIA", column="sex", settings=QUICK)
    assert found["groups"]["X"]["small"] and found["groups"]["X"]["metrics"]["accuracy"]["value"] is not None
    assert not found["groups"]["X"]["metrics"]["accuracy"]["ranked"]
    assert all("X" not in (gap["best"], gap["worst"]) for gap in found["gaps"].values())
    assert any("shown but not ranked: X" in note for note in found["warnings"])


def test_a_metric_rests_on_its_own_patients():
    # 60 rows of F, but 4 positives: no sensitivity of F is ranked
    truth = np.concatenate([np.arange(60) < 4, np.arange(60) < 30]).astype(int)
    group = np.repeat(["F", "M"], 60)
    found = fairness(truth, None, group, np.arange(120), NAMES, "PNEUMONIA", predicted=truth, settings=QUICK)
    assert found["gaps"]["sensitivity"]["p"] is None and found["gaps"]["sensitivity"]["verdict"].startswith("not tested")
    assert found["gaps"]["specificity"]["value"] == 0 and found["worst_group"]["metric"] == "accuracy"
    assert "auc" not in found["gaps"] and any("mix of classes" in note for note in found["warnings"])


def test_three_classes_ages_and_missing_values():
    generator = np.random.default_rng(2)
    truth = generator.integers(0, 3, 150)
    logits = 1.5 * np.eye(3)[truth] + generator.normal(size=(150, 3))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    ages = [f"{age:03d}Y" for age in generator.integers(1, 95, 150)]
    ages[:5] = [""] * 5
    groups = patient_groups(ages, "PatientAge")
    found = fairness(truth, probabilities, groups, np.arange(150), THREE, settings=QUICK)
    assert list(found["groups"]) == ["<18", "18-39", "40-59", "60+"] and found["banded"]
    assert {"macro_f1", "macro_auc", "sensitivity:VIRAL"} <= set(found["gaps"])
    assert any("5 of 150 rows have no PatientAge" in note for note in found["warnings"])
    assert sum(group["rows"] for group in found["groups"].values()) == 145


def test_refusals():
    truth, scores, group, patients = make_rows(patients=40)
    with pytest.raises(DataError, match="one value 'F'"):
        fairness(truth, scores, ["F"] * 40, patients, NAMES, "PNEUMONIA", column="sex")
    with pytest.raises(DataError, match="no class 'PNEUMONIE'.*Did you mean"):
        fairness(truth, np.stack([1 - scores, scores], axis=1), group, patients, NAMES, "PNEUMONIE")
    with pytest.raises(DataError, match="39 group values"):
        fairness(truth, scores, group[:39], patients, NAMES, "PNEUMONIA")
