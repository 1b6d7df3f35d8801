"""Effect sizes, their intervals, and what could have been detected."""

import math

import numpy as np
import pytest
from scipy.stats import nct

from pipeline.evaluation.statistics.effect_sizes import (
    cohens_g,
    paired_d,
    smallest_attainable_difference,
    smallest_detectable_difference,
)
from pipeline.evaluation.statistics.resampled_tests import corrected_resampled_t


def rows_right(only_a, only_b, both=4):
    right_a = np.array([True] * only_a + [False] * only_b + [True] * both)
    right_b = np.array([False] * only_a + [True] * only_b + [True] * both)
    return right_a, right_b


def wilson(hits, rows, z=1.959963985):
    share = hits / rows
    middle = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z / (1 + z**2 / rows) * math.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2))
    return middle - half, middle + half


def test_cohens_g_of_independent_rows_is_wilson():
    right_a, right_b = rows_right(5, 15)
    effect = cohens_g(right_a, right_b, np.arange(24))
    low, high = wilson(15, 20)
    assert effect["value"] == pytest.approx(0.25)
    # 20 clusters of one row: the design effect 20/19 of the cluster variance is all that differs
    assert effect["low"] == pytest.approx(low - 0.5, abs=0.01)
    assert effect["high"] == pytest.approx(high - 0.5, abs=0.01)


def test_cohens_g_counts_patients_not_rows():
    """Ten patients of four equal rows carry the information of ten rows: the design effect is 4 * 10/9."""
    right_a, right_b = (np.repeat(side, 4) for side in rows_right(3, 7, both=0))
    clustered = cohens_g(right_a, right_b, np.repeat(np.arange(10), 4))
    low, high = wilson(0.7 * 9, 9)
    assert clustered["low"] == pytest.approx(low - 0.5)
    assert clustered["high"] == pytest.approx(high - 0.5)


def test_cohens_g_of_one_sided_and_of_no_discordance():
    right_a, right_b = rows_right(0, 6)
    effect = cohens_g(right_a, right_b, np.repeat(np.arange(5), 2))
    assert effect["value"] == 0.5
    # six discordant rows of three patients
    assert effect["low"] == pytest.approx(wilson(3, 3)[0] - 0.5)
    none = cohens_g(*rows_right(0, 0), np.arange(4))
    assert none == {"name": "cohens_g", "value": None, "low": None, "high": None}


@pytest.mark.parametrize("sign", [1, -1])
def test_paired_d_inverts_the_noncentral_t(sign):
    result = corrected_resampled_t(sign * np.array([0.01, 0.05, 0.03, -0.01, 0.04]), 0.25)
    effect = paired_d(result, 0.25)
    scale = math.sqrt(1 / 5 + 0.25)
    assert effect["value"] == pytest.approx(result.mean / result.sd)
    assert effect["low"] < effect["value"] < effect["high"]
    near, far = sorted((abs(effect["low"]), abs(effect["high"])))
    assert nct.cdf(abs(result.statistic), 4, far / scale) == pytest.approx(0.025, abs=1e-6)
    near = sign * (effect["low"] if sign > 0 else effect["high"])
    assert nct.cdf(abs(result.statistic), 4, near / scale) == pytest.approx(0.975, abs=1e-6)


def test_paired_d_of_large_effects_and_without_spread():
    strong = paired_d(corrected_resampled_t([0.30, 0.31, 0.305, 0.302, 0.308], 0.25), 0.25)
    assert strong["low"] > 0
    assert paired_d(corrected_resampled_t([0.1, 0.1], 0.25), 0.25)["value"] is None


def test_smallest_detectable_difference_by_hand():
    # 1.959964 + 0.841621
    assert smallest_detectable_difference(0.01) == pytest.approx(0.02801585)
    # Student at 4 degrees of freedom: 2.776445 + 0.940965
    assert smallest_detectable_difference(0.01, freedom=4) == pytest.approx(0.0371741)
    assert smallest_detectable_difference(0.01, alpha=0.005) > smallest_detectable_difference(0.01)
    for unknown in (None, 0.0, float("nan")):
        assert smallest_detectable_difference(unknown) is None


def test_six_rows_are_needed_at_five_percent():
    # 2^(1 - 6) = 0.031 < 0.05 < 2^(1 - 5)
    assert smallest_attainable_difference(100) == 0.06
    assert smallest_attainable_difference(100, alpha=0.05 / 9) == 0.09


def test_an_interval_that_scipy_cannot_find_is_none_and_not_a_crash(monkeypatch):
    """SciPy's noncentral t is not a number here and there: brentq then stops at such a point."""
    from types import SimpleNamespace

    def cdf(statistic, freedom, shift):
        return float("nan") if abs(shift) < 3 else float(shift < 0)

    monkeypatch.setattr("pipeline.evaluation.statistics.effect_sizes.nct", SimpleNamespace(cdf=cdf))
    result = SimpleNamespace(statistic=1.0, sd=0.5, mean=0.3, folds=2)
    assert paired_d(result, 0.25, 0.95) == {"name": "paired_d", "value": 0.6, "low": None, "high": None}
