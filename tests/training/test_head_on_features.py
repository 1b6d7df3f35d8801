"""Heads on cached features: the logistic solution is the maximum it claims to be, and folds never see their patients."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from pipeline.models.classifier_networks import Head, build_head, set_feature_scaling
from pipeline.training.classifier.folds import cross_validate
from pipeline.training.classifier.head_on_features import HeadPlan, head_probabilities
from pipeline.training.classifier.logistic_solution import fit_logistic
from pipeline.training.classifier.minibatch_fit import ClassifierRows, FitPlan
from pipeline.training.classifier.settings import ClassifierFit
from pipeline.training.trained_network import Workshop

ROWS = 180


@pytest.fixture
def data():
    draw = np.random.default_rng(0)
    class_index = draw.integers(0, 3, ROWS)
    features = draw.normal(2, 3, (2, ROWS, 10)).astype(np.float32)
    features[:, np.arange(ROWS), class_index] += 4
    return features, class_index, np.array([f"p{row // 2}" for row in range(ROWS)])


@pytest.mark.parametrize("classes", [2, 3])
def test_a_logistic_head_is_scikit_learns(classes, data):
    features, class_index, _ = data
    class_index = np.minimum(class_index, classes - 1)
    rows = ClassifierRows(class_index, np.arange(120), np.arange(120, ROWS), classes)
    model = build_head(10, classes, Head(hidden=(), standardize=True))
    set_feature_scaling(model, features[0, rows.train])
    history = fit_logistic(model, features[:1], rows, (1e-4, 0.1), "none")
    assert history.best_epoch == 1 and history.epochs["inverse_penalty"] == [1e-4, 0.1]
    scaler = StandardScaler().fit(features[0, rows.train])
    theirs = LogisticRegression(C=0.1, max_iter=500).fit(scaler.transform(features[0, rows.train]), class_index[rows.train])
    expected = theirs.predict_proba(scaler.transform(features[0, rows.valid]))
    np.testing.assert_allclose(head_probabilities(model, features, rows.valid), expected, atol=2e-3)


def test_both_views_are_learnt_from(data):
    features, class_index, _ = data
    features = features.copy()
    features[1] *= -1  # a view that says the opposite
    rows = ClassifierRows(class_index, np.arange(120), np.arange(120, ROWS), 3)
    single, both = (build_head(10, 3, Head(hidden=())) for _ in range(2))
    fit_logistic(single, features[:1], rows, (0.1,), "none")
    fit_logistic(both, features, rows, (0.1,), "none")
    assert np.abs(both.get_weights()[0]).max() < 0.5 * np.abs(single.get_weights()[0]).max()


def test_balanced_weights_raise_the_rare_class(data):
    features, class_index, _ = data
    class_index = np.where((class_index == 2) & (np.arange(ROWS) % 5 > 0), 0, class_index)
    rows = ClassifierRows(class_index, np.arange(120), np.arange(120, ROWS), 3)
    shares = []
    for weighting in ("none", "balanced"):
        model = build_head(10, 3, Head(hidden=()))
        fit_logistic(model, features, rows, (1e-3,), weighting)
        shares.append(float(head_probabilities(model, features, rows.valid)[:, 2].mean()))
    assert shares[1] > 1.5 * shares[0]


@pytest.mark.parametrize("solver", ["gradient", "logistic"])
def test_no_fold_learns_from_the_patients_that_it_tests(solver, data, monkeypatch):
    """With the classes of one fold turned, its own network answers as before, and the others do not."""
    features, class_index, patients = data
    recipe = HeadPlan(Head(hidden=(), standardize=True), 3, (0.01, 0.1) if solver == "logistic" else ())
    plan = FitPlan(ClassifierFit(epochs=4, learning_rate=0.05, monitor="val_loss"))
    seen = []

    def thresholds(classes, probabilities):
        seen.append(len(classes))
        return 0.25

    def cross_validated(views, classes):
        return cross_validate(views, classes, patients, recipe, plan, 3, Workshop(1, "float16"), thresholds)

    answered = cross_validated(features, class_index)
    assert set(answered.fold) == {0, 1, 2} and (answered.threshold == 0.25).all()
    assert all(len(set(answered.fold[patients == patient])) == 1 for patient in set(patients))
    held = [np.sum(answered.fold != number) for number in range(3)]
    assert seen == held if solver == "logistic" else all(0.1 * h < s < 0.25 * h for s, h in zip(seen, held, strict=True))
    # Guessing is right in a third of the rows, give or take sqrt(2/9 / rows): four of these are met by 3 guesses in 100,000.
    assert (answered.probabilities.argmax(axis=1) == class_index).mean() > 1 / 3 + 4 * (2 / 9 / ROWS) ** 0.5
    np.testing.assert_allclose(answered.probabilities.sum(axis=1), 1, atol=1e-5)
    fixed = answered.fold
    monkeypatch.setattr("pipeline.training.classifier.folds.grouped_folds", fixed_folds(fixed, patients))
    monkeypatch.setattr("pipeline.training.classifier.logistic_solution.grouped_folds", fixed_folds(fixed, patients))
    expected = cross_validated(features, class_index).probabilities
    turned = np.where(fixed == 0, (class_index + 1) % 3, class_index)
    again = cross_validated(features, turned).probabilities
    np.testing.assert_allclose(again[fixed == 0], expected[fixed == 0], atol=1e-5)
    assert not np.allclose(again[fixed == 1], expected[fixed == 1], atol=1e-3)


def fixed_folds(fold, patients):
    """``grouped_folds`` that keeps the outer folds given and cuts the inner ones by patient, whatever the labels."""

    def folds_of(labels, groups, count, seed):
        if len(labels) == len(fold):
            return fold
        return np.array([int(patient[1:]) % count for patient in groups])

    return folds_of


def test_with_more_features_than_rows_the_solution_is_the_same(data):
    features, class_index, _ = data
    wide = np.concatenate([features, np.random.default_rng(5).normal(size=(2, ROWS, 290)).astype(np.float32)], axis=2)
    rows = ClassifierRows(class_index, np.arange(120), np.arange(120, ROWS), 3)
    model = build_head(300, 3, Head(hidden=()))
    fit_logistic(model, wide[:1], rows, (0.01,), "none")
    theirs = LogisticRegression(C=0.01, max_iter=500).fit(wide[0, rows.train], class_index[rows.train])
    np.testing.assert_allclose(head_probabilities(model, wide, rows.valid), theirs.predict_proba(wide[0, rows.valid]), atol=2e-3)
