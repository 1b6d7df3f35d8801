"""The corrected resampled t-test over repeated patient-grouped splits."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student

from pipeline.engine.errors import DataError


@dataclass(frozen=True)
class ResampledT:
    """Mean difference over the splits with its corrected standard error, t, p and interval.

    `statistic` and `p` are None where the differences have no spread and are not all zero: a t-test says
    nothing there.
    """

    mean: float
    sd: float
    standard_error: float
    statistic: float | None
    p: float | None
    low: float
    high: float
    folds: int


def corrected_resampled_t(differences: ArrayLike, test_train_ratio: float, level: float = 0.95) -> ResampledT:
    """Nadeau & Bengio's corrected resampled t-test (2003, Machine Learning 52, section 3).

    differences: (K,) of one metric, b - a, one for each split, K >= 2; test_train_ratio: n_test / n_train of
    a split (5 folds: 0.25). Training sets overlap, so the variance of the mean is (1/K + n_test/n_train) s^2,
    not s^2/K; K - 1 degrees of freedom, two-sided. Raises DataError for K < 2, NaN or a ratio <= 0.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or values.size < 2:
        raise DataError(
            f"Differences have shape {values.shape}, expected (K,), K >= 2.", "Resplit at least twice."
        )
    if not np.isfinite(values).all():
        raise DataError("A difference over the resplits is not a number.", "Leave undefined folds out first.")
    if not test_train_ratio > 0:
        raise DataError(
            f"n_test / n_train is {test_train_ratio}, must be > 0.", "For K folds it is 1 / (K - 1)."
        )
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    if np.ptp(values) <= 1e-12 * max(1.0, abs(mean)):
        sd = 0.0
    error = sd * math.sqrt(1 / values.size + test_train_ratio)
    freedom = values.size - 1
    half = float(student.ppf((1 + level) / 2, freedom)) * error
    statistic: float | None
    p: float | None
    if sd > 0:
        statistic = mean / error
        p = float(2 * student.sf(abs(statistic), freedom))
    else:
        statistic, p = (0.0, 1.0) if mean == 0 else (None, None)
    return ResampledT(mean, sd, error, statistic, p, mean - half, mean + half, values.size)
