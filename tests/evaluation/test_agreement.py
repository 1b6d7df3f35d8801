"""Kappas against published tables, scikit-learn and statsmodels."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import fleiss_kappa

from pipeline.engine.errors import DataError
from pipeline.evaluation.statistics.agreement import cohen_kappa, fleiss_draws, rating_counts
from pipeline.evaluation.statistics.clusters import bootstrap_weights, cluster_codes
from pipeline.evaluation.statistics.intervals import interval_of

# Fleiss 1971's diagnoses in the form every textbook works through: 10 subjects, 14 raters, 5 categories
FLEISS_COUNTS = np.array([
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
])  # fmt: skip


def fleiss_agreement(ratings, categories, clusters=None, resamples=200):
    counts = rating_counts(ratings, categories)
    codes = cluster_codes(np.arange(len(counts)) if clusters is None else clusters)
    value = float(fleiss_draws(counts, np.ones((1, len(counts))))[0])
    return interval_of(value, fleiss_draws(counts, bootstrap_weights(codes, resamples, 0).astype(float)), 0.95)


def raters_of(table):
    """Two raters' codes that have the given K x K table."""
    cells = [(i, j) for (i, j), count in np.ndenumerate(np.asarray(table)) for _ in range(count)]
    return np.array(cells).T


def test_cohen_by_hand():
    # agreement 35/50, by chance (25*30 + 25*20)/2500 = 0.5
    first, second = raters_of([[20, 5], [10, 15]])
    found = cohen_kappa(first, second, (0, 1))
    assert found["value"] == pytest.approx(0.4) and found["n"] == 50
    assert found["low"] < 0.4 < found["high"]


def test_cohen_published_interval():
    # Fleiss, Cohen & Everitt 1969, table 1 (200 cases, three diagnoses): kappa 0.429, variance 0.002885
    first, second = raters_of([[106, 10, 4], [22, 28, 10], [2, 12, 6]])
    found = cohen_kappa(first, second, (0, 1, 2))
    assert found["value"] == pytest.approx(0.429, abs=5e-4)
    assert (found["high"] - found["low"]) / 2 / 1.959964 == pytest.approx(0.002885**0.5, abs=5e-4)


def test_cohen_agrees_with_scikit_learn():
    generator = np.random.default_rng(0)
    first = generator.integers(0, 4, 100)
    second = np.clip(first + generator.integers(-1, 2, 100), 0, 3)
    expected = cohen_kappa_score(first, second, labels=range(4))
    assert cohen_kappa(first, second, range(4))["value"] == pytest.approx(expected)


def test_cohen_interval_covers_like_a_bootstrap():
    generator = np.random.default_rng(1)
    first = generator.integers(0, 3, 200)
    second = np.where(generator.random(200) < 0.6, first, generator.integers(0, 3, 200))
    found = cohen_kappa(first, second, range(3))
    rows = generator.integers(0, 200, (800, 200))
    draws = [cohen_kappa_score(first[row], second[row]) for row in rows]
    assert (found["high"] - found["low"]) / 2 / 1.96 == pytest.approx(np.std(draws), rel=0.1)


def test_fleiss_published_table():
    ratings = np.array([np.repeat(np.arange(5), row) for row in FLEISS_COUNTS])
    found = fleiss_agreement(ratings, range(5), resamples=200)
    assert found["value"] == pytest.approx(0.210, abs=5e-4)
    assert found["low"] < found["value"] < found["high"]
    assert (rating_counts(ratings, range(5)) == FLEISS_COUNTS).all()


def test_weighted_cases_are_repeated_cases():
    weights = np.random.default_rng(2).integers(0, 3, (4, 10))
    draws = fleiss_draws(FLEISS_COUNTS, weights.astype(float))
    for draw, times in zip(draws, weights, strict=True):
        assert draw == pytest.approx(fleiss_kappa(np.repeat(FLEISS_COUNTS, times, axis=0)))


def test_raters_of_one_category_have_no_kappa():
    assert cohen_kappa(["n", "n"], ["n", "n"], ("n", "p"))["value"] is None
    assert fleiss_agreement([["n", "n"], ["n", "n"]], ("n", "p"), resamples=20) == {"value": None, "low": None, "high": None}


def test_cases_of_one_patient_widen_the_interval():
    generator = np.random.default_rng(3)
    ratings = np.repeat(generator.integers(0, 2, (12, 3)), 6, axis=0)
    alone = fleiss_agreement(ratings, (0, 1), resamples=300)
    clustered = fleiss_agreement(ratings, (0, 1), np.repeat(np.arange(12), 6), resamples=300)
    assert clustered["high"] - clustered["low"] > 1.5 * (alone["high"] - alone["low"])


def test_refusals():
    with pytest.raises(DataError, match="'VIRAL' is none of n, p"):
        cohen_kappa(["n", "VIRAL"], ["n", "p"], ("n", "p"))
    with pytest.raises(DataError, match="R >= 2"):
        fleiss_agreement([[0], [1]], (0, 1))
