"""Patient-clustered percentile bootstrap intervals of the metrics of K classes and of their paired differences."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.engine.errors import DataError
from pipeline.evaluation.metrics.binary import defined
from pipeline.evaluation.metrics.multiclass import CLASS_METRICS, MULTICLASS_METRICS, multiclass_arrays
from pipeline.evaluation.statistics.clusters import bootstrap_weights, cluster_codes
from pipeline.evaluation.statistics.intervals import BLOCK_ELEMENTS, RESAMPLES, Interval, percentile_interval
from pipeline.evaluation.tables.multiclass_inputs import ClassifiedRows, checked_rows

# of each class, by the name that the confusion matrix gives them; `sensitivity` is its recall
INTERVAL_CLASS_METRICS = ("sensitivity", *(name for name in CLASS_METRICS if name != "recall"))


def multiclass_intervals(
    true_index: ArrayLike,
    probabilities: ArrayLike,
    class_names: Sequence[str],
    clusters: ArrayLike,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    predicted: ArrayLike | None = None,
) -> dict:
    """Every metric with its interval, overall and for each class.

    true_index: (N,) int; probabilities: (N, K); clusters: (N,) patient ids ("" = a patient of its own);
    predicted: see `multiclass_metrics`. Returns {metric: {"value", "low", "high"}, "per_class": {class: {metric:
    {"value", "low", "high"}}}} with MULTICLASS_METRICS and INTERVAL_CLASS_METRICS. Whole patients are drawn, so the
    interval speaks of new patients, not of new trainings. None: undefined, or undefined in half of the resamples or
    more. Percentile interval (Field & Welsh 2007). Raises DataError.
    """
    rows = checked_rows(true_index, probabilities, class_names, predicted)
    weights = bootstrap_weights(checked_clusters(clusters, rows), resamples, seed)
    values, draws = metric_draws(rows, np.ones((1, rows.true_index.size))), metric_draws(rows, weights)
    made = {name: interval(values[name][0], draws[name], level) for name in values}
    per_class = {name: {metric: made[f"{metric}:{name}"] for metric in INTERVAL_CLASS_METRICS} for name in rows.class_names}
    return {**{name: made[name] for name in MULTICLASS_METRICS}, "per_class": per_class}


def multiclass_difference(
    first: ClassifiedRows,
    second: ClassifiedRows,
    codes: NDArray[np.intp],
    metrics: Sequence[str] = MULTICLASS_METRICS,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Differences second - first on the same rows, both under the same resamples.

    codes: (N,) cluster numbers; metrics: of MULTICLASS_METRICS, or "sensitivity:VIRAL" for one of a class.
    Returns {metric: {"value", "low", "high", "standard_error"}}.
    """
    weights = bootstrap_weights(codes, resamples, seed)
    ones = np.ones((1, codes.size))
    values = [metric_draws(rows, ones) for rows in (first, second)]
    draws = [metric_draws(rows, weights) for rows in (first, second)]
    made = {}
    for name in metrics:
        spread = draws[1][name] - draws[0][name]
        kept = spread[np.isfinite(spread)]
        error = float(np.std(kept, ddof=1)) if kept.size > 1 else None
        made[name] = {**interval((values[1][name] - values[0][name])[0], spread, level), "standard_error": error}
    return made


def metric_draws(rows: ClassifiedRows, weights: NDArray) -> dict[str, NDArray[np.float64]]:
    """Each metric under each weighting: {metric or "metric:class": (R,)}, in blocks that bound the memory.

    weights: (R, N) >= 0. Names are MULTICLASS_METRICS and, e.g., "f1:VIRAL" for INTERVAL_CLASS_METRICS.
    """
    step = max(1, BLOCK_ELEMENTS // (weights.shape[1] * len(rows.class_names)))
    blocks = []
    for start in range(0, weights.shape[0], step):
        overall, by_class = multiclass_arrays(rows, weights[start : start + step].astype(np.float64))
        blocks.append(overall | _named(by_class, rows.class_names))
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def interval(value: float, draws: NDArray[np.float64], level: float) -> Interval:
    """{"value", "low", "high"} of a value and its (R,) draws; None where undefined."""
    low, high = percentile_interval(draws, level) if np.isfinite(value) else (None, None)
    return {"value": defined(value), "low": low, "high": high}


def checked_clusters(clusters: ArrayLike, rows: ClassifiedRows) -> NDArray[np.intp]:
    """Cluster numbers (N,) of patient ids, one for each row. Raises DataError."""
    codes = cluster_codes(clusters)
    if codes.size != rows.true_index.size:
        raise DataError(f"{codes.size} patient ids for {rows.true_index.size} rows.", "Pass one id for each row.")
    return codes


def _named(by_class: Mapping[str, NDArray[np.float64]], names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    source = {metric: "recall" if metric == "sensitivity" else metric for metric in INTERVAL_CLASS_METRICS}
    return {
        f"{metric}:{name}": by_class[column][:, place] for metric, column in source.items() for place, name in enumerate(names)
    }
