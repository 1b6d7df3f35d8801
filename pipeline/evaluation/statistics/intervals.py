"""Patient-clustered percentile bootstrap intervals of metrics, of their paired differences, and of means over scans."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.evaluation.metrics.classification import Judged, defined, metric_arrays
from pipeline.evaluation.metrics.names import CLASS_METRICS, MULTICLASS_METRICS, document_metrics
from pipeline.evaluation.statistics.clusters import bootstrap_weights, cluster_codes
from pipeline.evaluation.tables.rows import MeasuredRows, Rows

RESAMPLES = 2000
# weights are taken in blocks of this many numbers, so that memory does not grow with the resamples
BLOCK_ELEMENTS = 2_000_000

Interval = dict[str, float | None]
UNDEFINED: Interval = {"value": None, "low": None, "high": None}


@dataclass(frozen=True)
class Sizes:
    """Sizes and levels of an analysis: resamples of patients, level of the intervals, alpha and power of the tests, and the
    seed of the bootstrap and the permutations."""

    resamples: int = RESAMPLES
    level: float = 0.95
    alpha: float = 0.05
    power: float = 0.8
    seed: int = 0


def metric_intervals(
    rows: Rows, metrics: Mapping[str, str] | None = None, resamples: int = RESAMPLES, seed: int = 0, level: float = 0.95
) -> dict[str, Interval]:
    """Metrics with their intervals: {name: {"value", "low", "high"}}.

    metrics: {name: name in the grammar of `pipeline.evaluation.metrics.names`}; `document_metrics(rows)` where not said.
    With S trainings the statistic is the mean over them of the metric, so the interval speaks of new patients, not of new
    trainings (that spread is `training_noise`). None: undefined in a training, in half of the resamples or more, or, of the
    bounds, for one patient. Whole patients are drawn; percentile interval (Field & Welsh 2007).
    """
    names = document_metrics(rows) if metrics is None else metrics
    value = metric_draws(rows, np.ones((1, rows.truth.size)), names)
    weights = bootstrap_weights(rows.clusters, resamples, seed)
    draws = metric_draws(rows, weights, names)
    return {name: interval_of(value[name][0], _of_several(draws[name], weights), level) for name in names}


def class_intervals(rows: Rows, resamples: int = RESAMPLES, seed: int = 0, level: float = 0.95) -> dict:
    """`metric_intervals` of K classes: {metric of MULTICLASS_METRICS: interval, "per_class": {class: {metric: interval}}}."""
    reported = ("sensitivity", *(name for name in CLASS_METRICS if name not in ("recall", "sensitivity")))
    of_class = {name: [f"{metric}:{name}" for metric in reported] for name in rows.class_names}
    names = [*MULTICLASS_METRICS, *(name for every in of_class.values() for name in every)]
    made = metric_intervals(rows, {name: name for name in names}, resamples, seed, level)
    per_class = {
        name: dict(zip(reported, (made[full] for full in every), strict=True)) for name, every in of_class.items()
    }
    return {**{name: made[name] for name in MULTICLASS_METRICS}, "per_class": per_class}


def difference_interval(
    first: Rows, second: Rows, metrics: Mapping[str, str] | None = None, resamples: int = RESAMPLES, seed: int = 0,
    level: float = 0.95,
) -> dict[str, Interval]:  # fmt: skip
    """Each metric's difference second - first on the same rows, both arms under the same resamples.

    As in `metric_intervals`; the arms may have different numbers of trainings.
    Returns {name: {"value", "low", "high", "standard_error"}}.
    """
    names = document_metrics(first) if metrics is None else metrics
    weights = bootstrap_weights(first.clusters, resamples, seed)
    ones = np.ones((1, first.truth.size))
    values = [metric_draws(arm, ones, names) for arm in (first, second)]
    draws = [metric_draws(arm, weights, names) for arm in (first, second)]
    return {
        name: difference_of(
            (values[1][name] - values[0][name])[0], _of_several(draws[1][name] - draws[0][name], weights), level
        )
        for name in names
    }


def training_noise(rows: Rows, metrics: Mapping[str, str] | None = None) -> dict[str, dict[str, float | None]]:
    """Spread of each metric over the S trainings on unchanged rows: {name: {"sd", "min", "max", "seeds"}}.

    `sd` has S - 1 degrees of freedom and is None for one training; all None where one leaves the metric undefined.
    """
    names = document_metrics(rows) if metrics is None else metrics
    arrays = metric_arrays(rows, np.ones((1, rows.truth.size)), names.values())
    noise = {}
    for name, source in names.items():
        values = arrays[source][0]
        whole = bool(np.isfinite(values).all())
        noise[name] = {
            "sd": float(np.std(values, ddof=1)) if whole and values.size > 1 else None,
            "min": float(values.min()) if whole else None,
            "max": float(values.max()) if whole else None,
            "seeds": int(values.size),
        }
    return noise


def metric_draws(rows: Judged, weights: NDArray, metrics: Mapping[str, str]) -> dict[str, NDArray[np.float64]]:
    """Mean over the trainings of each metric under each weighting (R, N): {name: (R,)}, in blocks that bound the memory."""
    step = max(1, BLOCK_ELEMENTS // (weights.shape[1] * len(rows.class_names)))
    blocks = [
        metric_arrays(rows, weights[start : start + step].astype(np.float64), metrics.values())
        for start in range(0, weights.shape[0], step)
    ]
    return {name: np.concatenate([block[source].mean(axis=1) for block in blocks]) for name, source in metrics.items()}


def mean_interval(values: NDArray[np.float64], weights: NDArray, level: float = 0.95) -> Interval:
    """Mean of (N,) values with its interval under (R, N) weightings; a weighting without a row is undefined, and so is
    a mean of no values."""
    if not values.size:
        return dict(UNDEFINED)
    totals = weights.sum(axis=1)
    draws = np.divide(weights @ values, totals, out=np.full(len(totals), np.nan), where=totals > 0)
    return interval_of(float(values.mean()), _of_several(draws, weights), level)


def _of_several(draws: NDArray[np.float64], weights: NDArray) -> NDArray[np.float64]:
    """The (R,) draws; all undefined where the (R, N) weights are of one cluster: nothing is known of another patient then,
    and resamples of one patient are all alike, which would pass for an interval of no width."""
    return np.full_like(draws, np.nan) if (weights == weights[:, :1]).all() else draws


def patient_mean_interval(values: NDArray[np.float64], patients: ArrayLike, seed: int, resamples: int = RESAMPLES) -> Interval:
    """Mean of (N,) values with its interval over whole patients, (N,) ids."""
    return mean_interval(values, bootstrap_weights(cluster_codes(patients), resamples, seed).astype(np.float64))


def measured_intervals(rows: MeasuredRows, resamples: int = RESAMPLES, seed: int = 0, level: float = 0.95) -> dict:
    """Mean of each measure over scans, each scan counting alike, overall and by class.

    Returns {measure: {"value", "low", "high"}, "per_class": {class: {measure: …, "scans"}}, "worst_class_dice": {"class",
    "value", "low", "high"} where Dice is measured, else None, "scans"}; a class without a scan has None. Whole patients
    are drawn.
    """
    weights = bootstrap_weights(rows.clusters, resamples, seed).astype(np.float64)
    per_class = {}
    for number, name in enumerate(rows.class_names):
        mine = rows.truth == number
        means = {measure: mean_interval(column[mine], weights[:, mine], level) for measure, column in rows.values.items()}
        per_class[name] = {**means, "scans": int(mine.sum())}
    overall = {measure: mean_interval(column, weights, level) for measure, column in rows.values.items()}
    scored = {name: entry["dice"] for name, entry in per_class.items() if entry.get("dice", UNDEFINED)["value"] is not None}
    worst = min(scored, key=lambda name: scored[name]["value"], default=None)
    worst_dice = None if worst is None else {"class": worst, **scored[worst]}
    return {**overall, "per_class": per_class, "worst_class_dice": worst_dice, "scans": int(rows.truth.size)}


def difference_of(value: float, draws: NDArray[np.float64], level: float) -> Interval:
    """{"value", "low", "high", "standard_error"} of a difference and its (R,) draws."""
    kept = draws[np.isfinite(draws)]
    return {**interval_of(value, draws, level), "standard_error": float(np.std(kept, ddof=1)) if kept.size > 1 else None}


def interval_of(value: float, draws: NDArray[np.float64], level: float) -> Interval:
    """{"value", "low", "high"} of a value and its (R,) draws; None where undefined."""
    low, high = percentile_interval(draws, level) if np.isfinite(value) else (None, None)
    return {"value": defined(value), "low": low, "high": high}


def percentile_interval(draws: NDArray[np.float64], level: float) -> tuple[float | None, float | None]:
    """Percentile bounds of (R,) draws; (None, None) when half of them or more are undefined (NaN)."""
    kept = draws[np.isfinite(draws)]
    if 2 * kept.size <= draws.size:
        return None, None
    low, high = np.quantile(kept, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
