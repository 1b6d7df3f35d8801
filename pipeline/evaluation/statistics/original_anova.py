"""The original pipeline's significance test, kept for comparison and labelled as what it is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import f as fisher

from pipeline.engine.errors import DataError

CAUTION = (
    "the original's test: it compares mean probabilities of retrained heads, takes the same scans as "
    "independent observations and never looks at the labels, so it says nothing about which arm is better"
)


@dataclass(frozen=True)
class OriginalAnova:
    """F, p and eta squared (share of variance between the vectors); statistic and p None if undefined."""

    statistic: float | None
    p: float | None
    eta_squared: float | None
    vectors: int


def original_anova(probability_vectors: ArrayLike) -> OriginalAnova:
    """One-way ANOVA over the test probabilities of retrained heads, as the original has it. See CAUTION.

    probability_vectors: (K, N), one vector for each head, K >= 2, N >= 2. Undefined where every vector is
    constant. Raises DataError for other shapes and NaN.
    """
    vectors = np.asarray(probability_vectors, dtype=np.float64)
    if vectors.ndim != 2 or min(vectors.shape) < 2:
        raise DataError(
            f"ANOVA needs at least 2 probability vectors of 2 scans, got shape {vectors.shape}.",
            "Train at least two heads.",
        )
    if not np.isfinite(vectors).all():
        raise DataError("A probability vector holds NaN.", "Leave failed scans out first.")
    groups, rows = vectors.shape
    means = vectors.mean(axis=1)
    between = rows * float(np.sum((means - vectors.mean()) ** 2))
    within = float(np.sum((vectors - means[:, None]) ** 2))
    if within <= 1e-15 * vectors.size:
        return OriginalAnova(None, None, None, groups)
    freedom = (groups - 1, groups * (rows - 1))
    statistic = (between / freedom[0]) / (within / freedom[1])
    p = float(fisher.sf(statistic, *freedom))
    return OriginalAnova(statistic, p, between / (between + within), groups)
