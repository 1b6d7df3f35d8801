"""Patient-clustered percentile bootstrap intervals of metrics and of their paired differences."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.evaluation.metrics.binary import METRICS, defined, metric_arrays
from pipeline.evaluation.statistics.clusters import bootstrap_weights, cluster_codes
from pipeline.evaluation.tables.binary_inputs import checked_binary, checked_probabilities

RESAMPLES = 2000
# weights are taken in blocks of this many numbers, so that memory does not grow with the resamples
BLOCK_ELEMENTS = 2_000_000

Interval = dict[str, float | None]


def metric_intervals(
    labels: ArrayLike,
    probabilities: ArrayLike,
    clusters: ArrayLike,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
    threshold: float = 0.5,
) -> dict[str, Interval]:
    """Every metric with its interval: {metric: {"value", "low", "high"}}.

    labels: (N,) 0/1; probabilities: (N,) or (S, N) in [0, 1]; clusters: (N,) patient ids, or (N, 2) for
    pairs. With S training seeds the statistic is the mean over seeds of the metric, so the interval speaks of
    new patients, not of new trainings (that spread is `training_noise`). None: undefined for a seed, or in
    half of the resamples or more. Percentile interval (Field & Welsh 2007). Raises DataError.
    """
    positive, checked = checked_binary(labels, probabilities)
    weights = bootstrap_weights(cluster_codes(clusters), resamples, seed)
    value = seed_mean_metrics(positive, checked, np.ones((1, positive.size)), threshold)
    draws = seed_mean_metrics(positive, checked, weights, threshold)
    return {name: _interval(value[name][0], draws[name], level) for name in METRICS}


def difference_interval(
    labels: ArrayLike,
    probabilities_a: ArrayLike,
    probabilities_b: ArrayLike,
    clusters: ArrayLike,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
    threshold: float = 0.5,
) -> dict[str, Interval]:
    """Every metric's difference b - a on the same rows, both arms under the same resamples.

    Shapes as in `metric_intervals`; the arms may have different numbers of seeds.
    Returns {metric: {"value", "low", "high", "standard_error"}}. Raises DataError.
    """
    positive, first = checked_binary(labels, probabilities_a)
    second = checked_probabilities(probabilities_b, positive.size)
    weights = bootstrap_weights(cluster_codes(clusters), resamples, seed)
    ones = np.ones((1, positive.size))
    values = [seed_mean_metrics(positive, arm, ones, threshold) for arm in (first, second)]
    draws = [seed_mean_metrics(positive, arm, weights, threshold) for arm in (first, second)]
    intervals = {}
    for name in METRICS:
        spread = draws[1][name] - draws[0][name]
        interval = _interval((values[1][name] - values[0][name])[0], spread, level)
        kept = spread[np.isfinite(spread)]
        error = float(np.std(kept, ddof=1)) if kept.size > 1 else None
        intervals[name] = {**interval, "standard_error": error}
    return intervals


def training_noise(
    labels: ArrayLike, probabilities: ArrayLike, threshold: float = 0.5
) -> dict[str, dict[str, float | None]]:
    """Spread of each metric over training seeds on unchanged rows: {metric: {"sd", "min", "max", "seeds"}}.

    labels: (N,) 0/1; probabilities: (S, N). `sd` has S - 1 degrees of freedom and is None for one seed; all
    None where a seed leaves the metric undefined. Raises DataError.
    """
    positive, checked = checked_binary(labels, probabilities)
    arrays = metric_arrays(positive, checked, np.ones((1, positive.size)), threshold)
    noise = {}
    for name in METRICS:
        values = arrays[name][0]
        whole = bool(np.isfinite(values).all())
        noise[name] = {
            "sd": float(np.std(values, ddof=1)) if whole and values.size > 1 else None,
            "min": float(values.min()) if whole else None,
            "max": float(values.max()) if whole else None,
            "seeds": int(values.size),
        }
    return noise


def seed_mean_metrics(
    positive: NDArray[np.bool_],
    probabilities: NDArray[np.float64],
    weights: NDArray,
    threshold: float = 0.5,
) -> dict[str, NDArray[np.float64]]:
    """Mean over the S seeds of each metric under each weighting: {metric: (R,)}; NaN where undefined."""
    rows = weights.shape[1]
    step = max(1, BLOCK_ELEMENTS // rows)
    blocks = [
        metric_arrays(positive, probabilities, weights[start : start + step].astype(np.float64), threshold)
        for start in range(0, weights.shape[0], step)
    ]
    return {name: np.concatenate([block[name].mean(axis=1) for block in blocks]) for name in METRICS}


def percentile_interval(draws: NDArray[np.float64], level: float) -> tuple[float | None, float | None]:
    """Percentile bounds of (R,) draws; (None, None) when half of them or more are undefined (NaN)."""
    kept = draws[np.isfinite(draws)]
    if 2 * kept.size <= draws.size:
        return None, None
    low, high = np.quantile(kept, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _interval(value: float, draws: NDArray[np.float64], level: float) -> Interval:
    low, high = percentile_interval(draws, level) if np.isfinite(value) else (None, None)
    return {"value": defined(value), "low": low, "high": high}
