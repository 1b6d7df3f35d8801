"""How large a difference is, with its interval, and how small a one could have been seen."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import nct, norm
from scipy.stats import t as student
from statsmodels.stats.proportion import proportion_confint

from pipeline.evaluation.statistics.clusters import cluster_sums
from pipeline.evaluation.statistics.resampled_tests import ResampledT

Effect = dict[str, str | float | None]


def cohens_g(
    right_a: NDArray[np.bool_], right_b: NDArray[np.bool_], codes: NDArray[np.intp], level: float = 0.95
) -> Effect:
    """Cohen's g of two classifiers: share of the discordant rows that b wins, less one half.

    right_a, right_b: (N,) bool, where each is right; codes: (N,) cluster numbers. g in [-0.5, 0.5]
    (Cohen 1988, ch. 5; 0.05 small, 0.15 medium, 0.25 large). Wilson interval on the effective number of
    discordant rows, n / design effect, with the design effect of a ratio over clusters (Rao & Scott 1992,
    Biometrics 48), at least 1. All None where nothing is discordant.
    """
    wins = cluster_sums((right_b & ~right_a).astype(np.float64), codes)
    discordant = cluster_sums((right_b ^ right_a).astype(np.float64), codes)
    total = float(discordant.sum())
    if total == 0:
        return {"name": "cohens_g", "value": None, "low": None, "high": None}
    share = float(wins.sum()) / total
    effective = _effective_rows(wins, discordant, share)
    low, high = proportion_confint(share * effective, effective, alpha=1 - level, method="wilson")
    return {"name": "cohens_g", "value": share - 0.5, "low": float(low) - 0.5, "high": float(high) - 0.5}


def _effective_rows(wins: NDArray[np.float64], discordant: NDArray[np.float64], share: float) -> float:
    total = float(discordant.sum())
    holding = int(np.sum(discordant > 0))
    if share in (0.0, 1.0) or holding < 2:
        # no variance to estimate a design effect from: each patient counts once
        return float(holding)
    clustered = holding / (holding - 1) * float(np.sum((wins - share * discordant) ** 2)) / total**2
    design_effect = max(1.0, clustered / (share * (1 - share) / total))
    return total / design_effect


def paired_d(result: ResampledT, test_train_ratio: float, level: float = 0.95) -> Effect:
    """Paired Cohen's d over resplits: mean difference / standard deviation of the differences.

    The interval inverts the noncentral t of the corrected statistic, d = noncentrality * sqrt(1/K + ratio)
    (Cumming & Finch 2001, Educ Psychol Meas 61, with Nadeau & Bengio's variance). None without spread.
    """
    if result.statistic is None or result.sd == 0:
        return {"name": "paired_d", "value": None, "low": None, "high": None}
    scale = math.sqrt(1 / result.folds + test_train_ratio)
    # the distribution is mirrored: solve for a positive statistic, where scipy's series is sound
    bounds = [
        _noncentrality(abs(result.statistic), result.folds - 1, quantile)
        for quantile in ((1 + level) / 2, (1 - level) / 2)
    ]
    low, high = (None if bound is None else bound * scale for bound in bounds)
    if result.statistic < 0:
        low, high = (None if bound is None else -bound for bound in (high, low))
    return {"name": "paired_d", "value": result.mean / result.sd, "low": low, "high": high}


def _noncentrality(statistic: float, freedom: int, quantile: float) -> float | None:
    """Noncentrality under which `statistic` >= 0 is the given quantile; None where it cannot be found."""

    def excess(shift: float) -> float:
        return float(nct.cdf(statistic, freedom, shift)) - quantile

    # normal approximation of the bound, bracketed generously
    width = 4 * math.sqrt(1 + statistic**2 / (2 * freedom)) + 2
    low, high = statistic - width, statistic + width
    at_low, at_high = excess(low), excess(high)
    if not (math.isfinite(at_low) and math.isfinite(at_high) and at_low * at_high < 0):
        return None
    try:
        return float(brentq(excess, low, high))
    except ValueError:
        # SciPy's noncentral t is not a number at some points in between, with few degrees of freedom.
        return None


def smallest_detectable_difference(
    standard_error: float | None, alpha: float = 0.05, power: float = 0.8, freedom: int | None = None
) -> float | None:
    """Smallest true difference that a two-sided test at `alpha` would show with probability `power`.

    (q(1 - alpha/2) + q(power)) * standard_error, with normal quantiles, or Student's where `freedom` is
    given. In the metric's own unit. None where the standard error is unknown or zero: arms that never differ
    show no scale to judge by.
    """
    if standard_error is None or not np.isfinite(standard_error) or standard_error <= 0:
        return None
    quantile = norm.ppf if freedom is None else lambda q: student.ppf(q, freedom)
    return float((quantile(1 - alpha / 2) + quantile(power)) * standard_error)


def smallest_attainable_difference(rows: int, alpha: float = 0.05) -> float:
    """Smallest accuracy difference that can come out below `alpha` at all on N rows.

    k rows that all favour one arm have an exact two-sided p of 2^(1 - k), so k = ceil(1 + log2(1 / alpha)).
    """
    return math.ceil(1 + math.log2(1 / alpha)) / rows
