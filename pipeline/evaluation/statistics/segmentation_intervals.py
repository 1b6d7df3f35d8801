"""Means over scans of overlap and distance, with patient-clustered bootstrap intervals, overall and by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from pipeline.engine.errors import DataError
from pipeline.evaluation.statistics.clusters import bootstrap_weights, cluster_codes
from pipeline.evaluation.statistics.intervals import RESAMPLES, Interval, percentile_interval


def segmentation_intervals(
    values: Mapping[str, ArrayLike],
    class_index: ArrayLike,
    class_names: Sequence[str],
    clusters: ArrayLike,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> dict:
    """Mean of each metric over scans, each scan counting alike.

    Args:
        values: ``{metric: (N,)}``, of ``segmentation_metrics`` for each scan that has a mask.
        class_index: ``(N,)`` int, positions in ``class_names``.
        clusters: ``(N,)`` patient ids; "" is a patient of its own.

    Returns ``{metric: {"value", "low", "high"}, "per_class": {class: {metric: …, "scans"}}, "worst_class_dice": {"class",
    "value", "low", "high"}, "scans"}``; a class without a scan has None. Whole patients are drawn.

    Raises:
        DataError: no scan, or lengths that differ.
    """
    columns = {name: np.asarray(column, np.float64) for name, column in values.items()}
    classes = np.asarray(class_index)
    if classes.size == 0 or any(column.shape != classes.shape for column in columns.values()):
        shapes = {name: column.shape for name, column in columns.items()}
        raise DataError(f"segmentation metrics of shapes {shapes} for {classes.shape} scans.", "Give one value a scan.")
    weights = bootstrap_weights(cluster_codes(clusters), resamples, seed).astype(np.float64)
    everyone = np.ones(classes.size, np.bool_)
    overall = {name: _mean(column, everyone, weights, level) for name, column in columns.items()}
    per_class = {}
    for number, name in enumerate(class_names):
        chosen = classes == number
        per_class[name] = {metric: _mean(column, chosen, weights, level) for metric, column in columns.items()}
        per_class[name]["scans"] = int(chosen.sum())
    return {**overall, "per_class": per_class, "worst_class_dice": _worst(per_class), "scans": int(classes.size)}


def _mean(column: np.ndarray, chosen: np.ndarray, weights: np.ndarray, level: float) -> Interval:
    """Weighted means of the chosen rows; a resample that has none of them is undefined."""
    if not chosen.any():
        return {"value": None, "low": None, "high": None}
    mine = weights[:, chosen]
    totals = mine.sum(axis=1)
    draws = np.divide(mine @ column[chosen], totals, out=np.full(len(totals), np.nan), where=totals > 0)
    low, high = percentile_interval(draws, level)
    return {"value": float(column[chosen].mean()), "low": low, "high": high}


def _worst(per_class: Mapping[str, Mapping]) -> dict | None:
    """The class with the lowest mean Dice, where Dice is among the metrics."""
    scored = {name: entry["dice"] for name, entry in per_class.items() if entry.get("dice", {}).get("value") is not None}
    if not scored:
        return None
    name = min(scored, key=lambda name: scored[name]["value"])
    return {"class": name, **scored[name]}
