"""LEACE against its own definition: means alike within every label, the least change, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from pipeline.engine.errors import DataError
from pipeline.training.multitask.adversarial.concept_erasure import modality_erasure
from pipeline.training.multitask.adversarial.modality_probes import even_weights

ROWS, WIDTH = 400, 6


@pytest.fixture
def data():
    chance = np.random.default_rng(0)
    modality, labels = chance.integers(0, 2, ROWS), (chance.random(ROWS) < 0.3).astype(int)
    features = chance.normal(size=(ROWS, WIDTH)) @ chance.normal(size=(WIDTH, WIDTH)) + 5
    features += 2 * modality[:, None] * chance.normal(size=WIDTH) + labels[:, None] * chance.normal(size=WIDTH)
    features += (modality * labels)[:, None] * chance.normal(size=WIDTH)
    return features, modality, labels


def test_within_every_label_the_modalities_have_one_mean(data):
    features, modality, labels = data
    erased = modality_erasure(features, modality, labels, np.arange(ROWS)).apply(features)
    for label in (0, 1):
        means = [erased[(modality == side) & (labels == label)].mean(axis=0) for side in (0, 1)]
        np.testing.assert_allclose(means[0], means[1], atol=1e-9)


def test_of_four_labels_every_one_has_one_mean(data):
    features, modality, _ = data
    labels = np.arange(ROWS) % 4
    features = features + labels[:, None] * modality[:, None] * 0.7
    erasure = modality_erasure(features, modality, labels, np.arange(ROWS))
    erased = erasure.apply(features)
    for label in range(4):
        means = [erased[(modality == side) & (labels == label)].mean(axis=0) for side in (0, 1)]
        np.testing.assert_allclose(means[0], means[1], atol=1e-8)


def test_no_linear_probe_is_left_and_the_label_still_shows(data):
    features, modality, labels = data
    erased = modality_erasure(features, modality, labels, np.arange(ROWS)).apply(features)
    weights = even_weights(2 * labels + modality)
    probe = LogisticRegression(max_iter=2000).fit(erased, modality, sample_weight=weights)
    assert np.abs(probe.coef_).max() < 1e-3
    assert LogisticRegression(max_iter=2000).fit(erased, labels).score(erased, labels) > 0.75


def test_it_is_an_oblique_projection_that_keeps_the_centre_and_moves_as_little_as_can_be(data):
    """The least expected change in the features' own metric: against 200 other projections that erase as well."""
    features, modality, labels = data
    erasure = modality_erasure(features, modality, labels, np.arange(ROWS))
    np.testing.assert_allclose(erasure.matrix @ erasure.matrix, erasure.matrix, atol=1e-9)
    weights = even_weights(2 * labels + modality) / ROWS
    centre = weights @ features
    np.testing.assert_allclose(erasure.apply(centre[None])[0], centre, atol=1e-9)
    covariance = (features - centre).T @ ((features - centre) * weights[:, None])
    metric = np.linalg.inv(covariance)

    def moved(matrix: np.ndarray) -> float:
        change = (features - centre) @ (matrix - np.eye(WIDTH))
        return float(np.sum(weights * np.einsum("ni,ij,nj->n", change, metric, change)))

    told = np.stack([np.where(labels == label, modality - 0.5, 0) for label in (0, 1)], axis=1)
    erased_span = (features - centre).T @ ((told - weights @ told) * weights[:, None])
    chance = np.random.default_rng(1)
    for _ in range(200):
        dual = chance.normal(size=(2, WIDTH))
        other = np.eye(WIDTH) - erased_span @ np.linalg.solve(dual @ erased_span, dual)
        assert moved(erasure.matrix) <= moved(other.T) + 1e-9


def test_only_the_given_rows_are_learnt_from(data):
    features, modality, labels = data
    rows = np.arange(0, ROWS, 2)
    first = modality_erasure(features, modality, labels, rows)
    features[1::2] += 100
    np.testing.assert_array_equal(modality_erasure(features, modality, labels, rows).matrix, first.matrix)


def test_fewer_rows_than_features_erase_what_those_rows_show_and_say_their_rank():
    chance = np.random.default_rng(2)
    features, modality, labels = chance.normal(size=(20, 50)), np.tile([0, 1], 10), np.repeat([0, 1], 10)
    erasure = modality_erasure(features, modality, labels, np.arange(20))
    assert erasure.rank < 20
    erased = erasure.apply(features)
    for label in (0, 1):
        means = [erased[(modality == side) & (labels == label)].mean(axis=0) for side in (0, 1)]
        np.testing.assert_allclose(means[0], means[1], atol=1e-8)


def test_labels_known_in_one_modality_are_not_conditioned_on(data):
    """Nor erased: conditioning on labels that X-rays alone have would take them for the modality."""
    features, modality, labels = data
    known = np.where(modality == 1, labels, -1)
    erasure = modality_erasure(features, modality, known, np.arange(ROWS))
    erased = erasure.apply(features)
    means = [erased[modality == side].mean(axis=0) for side in (0, 1)]
    np.testing.assert_allclose(means[0], means[1], atol=1e-9)
    assert round(np.trace(np.eye(WIDTH) - erasure.matrix)) == 1
    xrays = modality == 1
    assert LogisticRegression(max_iter=2000).fit(erased[xrays], labels[xrays]).score(erased[xrays], labels[xrays]) > 0.75


def test_a_label_known_in_both_modalities_is_conditioned_on_and_other_rows_are_not_compared(data):
    features, modality, labels = data
    known = np.where((modality == 0) & (labels == 1), -1, labels)  # of CT slices only who has nothing is known
    features[(modality == 0) & (known == -1)] += 50
    erased = modality_erasure(features, modality, known, np.arange(ROWS)).apply(features)
    means = [erased[(modality == side) & (known == 0)].mean(axis=0) for side in (0, 1)]
    np.testing.assert_allclose(means[0], means[1], atol=1e-8)
    assert np.abs(erased[known == -1].mean(axis=0) - erased[(modality == 1) & (labels == 1)].mean(axis=0)).max() > 5


def test_bad_input_is_refused(data):
    features, modality, labels = data
    with pytest.raises(DataError, match="label tells the modality"):
        modality_erasure(features, modality, modality, np.arange(ROWS))
    with pytest.raises(DataError, match="no X-rays"):
        modality_erasure(features, np.zeros(ROWS, int), labels, np.arange(ROWS))
    features[3, 2] = np.nan
    with pytest.raises(DataError, match="NaN"):
        modality_erasure(features, modality, labels, np.arange(ROWS))
