"""Every metric of a binary classifier, for one set of rows or for many weightings of it."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.evaluation.metrics.ranking import weighted_ranking
from pipeline.evaluation.tables.binary_inputs import checked_binary

METRICS = (
    "accuracy",
    "balanced_accuracy",
    "class_wise_mean_accuracy",
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "f1",
    "auc",
    "average_precision",
    "brier",
    "mcc",
)
LOWER_IS_BETTER = frozenset({"brier"})
SIGNED_METRICS = frozenset({"mcc"})


def binary_metrics(labels: ArrayLike, probabilities: ArrayLike, threshold: float = 0.5) -> dict:
    """Confusion counts and all METRICS of one model.

    labels: (N,) 0/1; probabilities: (N,) of the positive class in [0, 1]; positive where >= threshold.
    Returns {"tn", "fp", "fn", "tp": int, metric: float | None}; None where a metric is undefined (its
    denominator is zero), never a substitute. `class_wise_mean_accuracy` is the mean of PPV and NPV, the
    original's name for it; `balanced_accuracy` is the mean of sensitivity and specificity.
    Raises DataError for empty input, NaN, values outside [0, 1] or labels other than 0/1.
    """
    positive, checked = checked_binary(labels, probabilities)
    arrays = metric_arrays(positive, checked[:1], np.ones((1, positive.size)), threshold)
    return {
        **confusion(positive, checked[0], threshold),
        **{name: defined(arrays[name][0, 0]) for name in METRICS},
    }


def confusion(labels: ArrayLike, probabilities: ArrayLike, threshold: float = 0.5) -> dict[str, int]:
    """Counts {"tn", "fp", "fn", "tp"} of one probability vector (N,) at `threshold`. Raises DataError."""
    positive, checked = checked_binary(labels, probabilities)
    predicted = checked[0] >= threshold
    return {
        "tn": int(np.sum(~predicted & ~positive)),
        "fp": int(np.sum(predicted & ~positive)),
        "fn": int(np.sum(~predicted & positive)),
        "tp": int(np.sum(predicted & positive)),
    }


def defined(value: float) -> float | None:
    """The value as a Python float, or None where it is NaN or infinite."""
    return float(value) if np.isfinite(value) else None


def metric_arrays(
    positive: NDArray[np.bool_],
    probabilities: NDArray[np.float64],
    weights: NDArray[np.float64],
    threshold: float = 0.5,
) -> dict[str, NDArray[np.float64]]:
    """METRICS of S models under R weightings of the same rows.

    positive: (N,) bool; probabilities: (S, N) in [0, 1]; weights: (R, N) >= 0 (ones: the plain metric).
    Returns {metric: (R, S) float64}, NaN where undefined. Inputs are taken as checked.
    """
    predicted = probabilities >= threshold
    tp = weights @ (predicted & positive).T.astype(np.float64)
    fp = weights @ (predicted & ~positive).T.astype(np.float64)
    positives = (weights @ positive.astype(np.float64))[:, None]
    total = weights.sum(axis=1)[:, None]
    fn, tn = positives - tp, (total - positives) - fp
    with np.errstate(divide="ignore", invalid="ignore"):
        sensitivity, specificity = tp / (tp + fn), tn / (tn + fp)
        ppv, npv = tp / (tp + fp), tn / (tn + fn)
        mcc = (tp * tn - fp * fn) / np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
        arrays = {
            "accuracy": (tp + tn) / total,
            "balanced_accuracy": (sensitivity + specificity) / 2,
            "class_wise_mean_accuracy": (ppv + npv) / 2,
            "sensitivity": sensitivity,
            "specificity": specificity,
            "ppv": ppv,
            "npv": npv,
            "f1": 2 * tp / (2 * tp + fp + fn),
            "brier": weights @ np.square(probabilities - positive).T / total,
            "mcc": mcc,
        }
    ranked = [weighted_ranking(positive, scores, weights) for scores in probabilities]
    arrays["auc"] = np.stack([auc for auc, _ in ranked], axis=1)
    arrays["average_precision"] = np.stack([precision for _, precision in ranked], axis=1)
    return arrays
