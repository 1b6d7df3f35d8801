"""Observed frequency against stated probability, in bins of equal count."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from statsmodels.stats.proportion import proportion_confint

from pipeline.evaluation.tables.rows import Rows


@dataclass(frozen=True)
class Reliability:
    """K occupied bins: mean probability, observed positive share with Wilson bounds, and rows in each."""

    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    rows: NDArray[np.int64]

    @property
    def expected_calibration_error(self) -> float:
        """Mean |observed - predicted| over rows, in [0, 1] (Naeini, Cooper & Hauskrecht 2015, AAAI)."""
        return float(np.average(np.abs(self.observed - self.predicted), weights=self.rows))


def reliability(
    labels: ArrayLike, probabilities: ArrayLike, bins: int = 10, level: float = 0.95
) -> Reliability:
    """Reliability of one probability vector.

    labels: (N,) 0/1; probabilities: (N,) in [0, 1]. Rows are sorted into `bins` parts of nearly equal count;
    equal probabilities stay in one part, so there may be fewer. Wilson bounds take rows as independent.
    Raises DataError.
    """
    rows = Rows.binary(labels, probabilities)
    positive, scores = rows.truth, rows.probabilities[0, :, 1]
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, bins + 1)[1:-1]))
    part = np.searchsorted(edges, scores, side="left")
    _, part = np.unique(part, return_inverse=True)
    counts = np.bincount(part)
    hits = np.bincount(part, weights=positive)
    low, high = proportion_confint(hits, counts, alpha=1 - level, method="wilson")
    return Reliability(np.bincount(part, weights=scores) / counts, hits / counts, low, high, counts)
