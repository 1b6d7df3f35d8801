"""Heads on cached features: the logistic solution is the maximum it claims to be, and folds never see their patients."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from pipeline.models.classifier_networks import Head, build_head, set_feature_scaling
from pipeline.training.classifier_fit import ClassifierRows, FitPlan
from pipeline.training.classifier_folds import cross_validate
from pipeline.training.classifier_heads import HeadRecipe, head_probabilities
from pipeline.training.classifier_settings import ClassifierFit
from pipeline.training.logistic_head import fit_logistic
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


def test_no_fold_learns_from_the_patients_that_it_tests(data, monkeypatch):
    features, class_index, patients = data
    seen = []

    def remembering(name, views, rows, recipe, plan, workshop):
        seen.append((rows.train, rows.valid))
        model = build_head(10, 3, Head(hidden=()))
        fit_logistic(model, views, rows, (0.1,), "none")
        return model, {"best_epoch": 0}

    monkeypatch.setattr("pipeline.training.classifier_folds.train_head", remembering)
    recipe = HeadRecipe(Head(hidden=()), 3, (0.1,))
    answered = cross_validate(features, class_index, patients, recipe, FitPlan(ClassifierFit()), 3,
                              Workshop(1, "float16"), lambda classes, probabilities: 0.25)  # fmt: skip
    assert len(seen) == 3 and set(answered.fold) == {0, 1, 2} and (answered.threshold == 0.25).all()
    for number, (train, valid) in enumerate(seen):
        tested = np.flatnonzero(answered.fold == number)
        groups = [set(patients[rows]) for rows in (train, valid, tested)]
        assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])
        assert len(train) + len(valid) + len(tested) == ROWS and len(valid) > 10
    assert (answered.probabilities.argmax(axis=1) == class_index).mean() > 0.7
    np.testing.assert_allclose(answered.probabilities.sum(axis=1), 1, atol=1e-5)
