"""ROC curve with a patient-clustered bootstrap band."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.engine.errors import DataError
from pipeline.evaluation.statistics.clusters import bootstrap_weights
from pipeline.evaluation.tables.rows import Rows


@dataclass(frozen=True)
class RocBand:
    """Sensitivity at each false-positive rate of a grid, with pointwise bounds; all (G,) in [0, 1]."""

    false_positive_rate: NDArray[np.float64]
    sensitivity: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def roc_band(
    labels: ArrayLike,
    probabilities: ArrayLike,
    clusters: ArrayLike,
    resamples: int = 300,
    seed: int = 0,
    level: float = 0.95,
    points: int = 101,
) -> RocBand:
    """Vertically averaged ROC over training seeds (Fawcett 2006) with a pointwise percentile band.

    labels: (N,) 0/1; probabilities: (N,) or (S, N); clusters: (N,) or (N, 2) patient ids. Resamples without
    both classes are left out. Raises DataError where the rows are all of one class.
    """
    rows = Rows.binary(labels, probabilities, clusters)
    positive = rows.truth == 1
    if positive.all() or not positive.any():
        raise DataError("A ROC curve needs rows of both classes.", "Check the test split's labels.")
    weights = bootstrap_weights(rows.clusters, resamples, seed).astype(np.float64)
    both = ((weights @ positive) > 0) & ((weights @ ~positive) > 0)
    weights = np.concatenate([np.ones((1, positive.size)), weights[both]])
    grid = np.linspace(0, 1, points)
    curves = np.mean([_sensitivities(positive, scores, weights, grid) for scores in rows.probabilities[..., 1]], axis=0)
    draws = curves[1:] if curves.shape[0] > 1 else curves
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return RocBand(grid, curves[0], low, high)


def _sensitivities(
    positive: NDArray[np.bool_], scores: NDArray[np.float64], weights: NDArray[np.float64], grid: NDArray
) -> NDArray[np.float64]:
    """(R, G) sensitivity at each rate of the grid; ties are one step."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    sorted_weights = weights[:, order]
    hits = np.cumsum(sorted_weights * positive[order], axis=1)[:, ends]
    false_alarms = np.cumsum(sorted_weights * ~positive[order], axis=1)[:, ends]
    start = np.zeros((weights.shape[0], 1))
    rise = np.concatenate([start, hits / hits[:, -1:]], axis=1)
    run = np.concatenate([start, false_alarms / false_alarms[:, -1:]], axis=1)
    # where the curve rises vertically interp answers with the upper end, which is the operating point there
    return np.stack([np.interp(grid, x, y) for x, y in zip(run, rise, strict=True)])
