"""The metrics that every resplit of a comparison is measured by, in the order of a `Resplits` table's columns."""

from __future__ import annotations

import numpy as np

from pipeline.evaluation.metrics.binary import binary_metrics

METRICS = ("accuracy", "auc", "balanced_accuracy", "sensitivity", "specificity", "f1")


def metrics_row(labels: np.ndarray, probabilities: np.ndarray) -> list[float]:
    """METRICS of one test part ``(n,)``; NaN where a metric is undefined in it."""
    metrics = binary_metrics(labels, probabilities)
    return [np.nan if metrics[name] is None else metrics[name] for name in METRICS]
