"""Agreement of raters beyond chance: Cohen's kappa of two, Fleiss' kappa of several."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm
from statsmodels.stats.inter_rater import cohens_kappa

from pipeline.engine.errors import DataError
from pipeline.evaluation.metrics.classification import defined
from pipeline.evaluation.statistics.intervals import UNDEFINED


def cohen_kappa(first: ArrayLike, second: ArrayLike, categories: Sequence, level: float = 0.95) -> dict:
    """Cohen's kappa of two raters of the same cases, with its interval.

    first, second: (N,) of values among `categories` (Cohen 1960, Educ Psychol Meas 20). Returns {"value", "low", "high", "p",
    "n", "weights": "none"}; large-sample interval and two-sided p against 0 (Fleiss, Cohen & Everitt 1969, Psychol Bull 72),
    which takes cases as independent; the interval is cut at -1 and 1. None where both raters use one category. Raises DataError.
    """
    codes = np.stack([_coded(rater, categories) for rater in (first, second)])
    size = len(categories)
    table = np.bincount(codes[0] * size + codes[1], minlength=size * size).reshape(size, size)
    nothing = {**UNDEFINED, "p": None, "n": int(codes.shape[1]), "weights": "none"}
    if np.count_nonzero(table.sum(axis=0) + table.sum(axis=1)) < 2:
        return nothing
    with np.errstate(divide="ignore", invalid="ignore"):
        result = cohens_kappa(table)
    half = float(norm.ppf((1 + level) / 2)) * float(np.sqrt(result.var_kappa))
    return {
        **nothing,
        "value": defined(result.kappa),
        "low": defined(max(-1.0, result.kappa - half)),
        "high": defined(min(1.0, result.kappa + half)),
        "p": defined(result.pvalue_two_sided),
    }


def rating_counts(ratings: ArrayLike, categories: Sequence) -> NDArray[np.intp]:
    """How many raters gave each case each category: (N, K) from ratings (N, R). Raises DataError."""
    values = np.asarray(ratings)
    if values.ndim != 2 or values.shape[0] == 0 or values.shape[1] < 2:
        raise DataError(f"Ratings have shape {values.shape}, expected (N, R), R >= 2.", "Pass a column for each rater.")
    codes = np.stack([_coded(column, categories) for column in values.T], axis=1)
    return np.stack([(codes == place).sum(axis=1) for place in range(len(categories))], axis=1)


def fleiss_draws(counts: NDArray, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fleiss' kappa under each weighting of the cases: (B,) from counts (N, K) and weights (B, N); NaN: undefined."""
    raters = int(counts[0].sum())
    agreeing = (np.sum(counts**2, axis=1) - raters) / (raters * (raters - 1))
    total = weights.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = weights @ agreeing / total
        by_chance = np.sum((weights @ counts / (total * raters)[:, None]) ** 2, axis=1)
        return np.where(by_chance < 1, (observed - by_chance) / (1 - by_chance), np.nan)


def _coded(values: ArrayLike, categories: Sequence) -> NDArray[np.intp]:
    place = {category: number for number, category in enumerate(categories)}
    found = np.asarray(values).tolist()
    unknown = [value for value in found if value not in place]
    if not found or unknown:
        said = f"Rating {unknown[0]!r} is none of {', '.join(map(str, categories))}." if unknown else "There are no ratings."
        raise DataError(said, "Name every category that a rater may give.")
    return np.array([place[value] for value in found], dtype=np.intp)
