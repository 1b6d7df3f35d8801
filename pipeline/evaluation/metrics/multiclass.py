"""Every metric of a classifier of K classes, for one set of rows or for many weightings of it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.evaluation.metrics.binary import defined
from pipeline.evaluation.metrics.ranking import weighted_ranking
from pipeline.evaluation.tables.multiclass_inputs import ClassifiedRows, checked_rows, class_position

CLASS_METRICS = ("precision", "recall", "specificity", "npv", "f1", "auc", "average_precision")
AVERAGED = ("precision", "recall", "specificity", "f1", "auc", "average_precision")
MULTICLASS_METRICS = (
    "accuracy",
    "balanced_accuracy",
    *(f"macro_{name}" for name in AVERAGED),
    *(f"weighted_{name}" for name in AVERAGED),
    "cohen_kappa",
    "mcc",
    "log_loss",
    "brier",
)
MULTICLASS_LOWER_IS_BETTER = frozenset({"log_loss", "brier"})

Arrays = dict[str, NDArray[np.float64]]


def multiclass_metrics(
    true_index: ArrayLike,
    probabilities: ArrayLike,
    class_names: Sequence[str],
    positive_class: str | None = None,
    predicted: ArrayLike | None = None,
) -> dict:
    """MULTICLASS_METRICS, the confusion matrix and the per-class table of one model; ready for json.dump.

    true_index: (N,) int, positions in class_names; probabilities: (N, K) in [0, 1]; predicted: (N,) int, where
    classes were decided by a threshold rather than by the largest probability (which is the default).
    Returns {metric: float | None, "rows", "class_names", "classes_without_rows", "confusion": K lists of K counts (true,
    then predicted), "per_class": {class: {precision, recall, sensitivity, specificity, npv, f1, auc,
    average_precision, support}}} and, with `positive_class`, "positive_class" and "positive": its row of the table.

    None: undefined, its denominator is zero; never a substitute. AUC and average precision are one class against
    the rest. Macro means run over the classes that have rows, weighted ones are weighted by those rows; either is
    None where one of its classes is. `balanced_accuracy` is macro_recall by its other name. `brier` is half the
    squared distance of Brier 1950 (Mon Weather Rev 78), in [0, 1] and for two classes the binary score; `log_loss`
    is in nats. `mcc` is Gorodkin's R_K (2004, Comput Biol Chem 28). Raises DataError.
    """
    rows = checked_rows(true_index, probabilities, class_names, predicted)
    overall, by_class = multiclass_arrays(rows, np.ones((1, rows.true_index.size)))
    matrix = confusion_matrix(rows)
    table = {
        name: {**{metric: defined(by_class[metric][0, place]) for metric in CLASS_METRICS}, "support": int(matrix[place].sum())}
        for place, name in enumerate(rows.class_names)
    }
    for row in table.values():
        row["sensitivity"] = row["recall"]
    result = {
        **{name: defined(overall[name][0]) for name in MULTICLASS_METRICS},
        "rows": int(rows.true_index.size),
        "class_names": list(rows.class_names),
        "classes_without_rows": [name for name, row in table.items() if row["support"] == 0],
        "confusion": matrix.tolist(),
        "per_class": table,
    }
    if positive_class is not None:
        place = class_position(positive_class, rows.class_names)
        result |= {"positive_class": positive_class, "positive": dict(table[rows.class_names[place]])}
    return result


def confusion_matrix(rows: ClassifiedRows) -> NDArray[np.intp]:
    """Counts (K, K): true class down, predicted class across."""
    size = len(rows.class_names)
    cells = np.bincount(rows.true_index * size + rows.predicted, minlength=size * size)
    return cells.reshape(size, size)


def multiclass_arrays(rows: ClassifiedRows, weights: NDArray[np.float64]) -> tuple[Arrays, Arrays]:
    """The metrics under R weightings of the rows: ({MULTICLASS_METRICS: (R,)}, {CLASS_METRICS: (R, K)}).

    weights: (R, N) >= 0 (ones: the plain metric). NaN where undefined. Macro means run over the classes that have
    rows before weighting, so that a resample which misses a class is undefined, not an easier task.
    """
    size = len(rows.class_names)
    matrices = weighted_confusion(rows, weights)
    by_class = class_rates(matrices)
    ranked = [weighted_ranking(rows.true_index == k, rows.probabilities[:, k], weights) for k in range(size)]
    by_class["auc"] = np.stack([auc for auc, _ in ranked], axis=1)
    by_class["average_precision"] = np.stack([precision for _, precision in ranked], axis=1)
    present = np.bincount(rows.true_index, minlength=size) > 0
    overall = _overall_arrays(matrices)
    support = matrices.sum(axis=2)[:, present]
    for name in AVERAGED:
        values = by_class[name][:, present]
        overall[f"macro_{name}"] = values.mean(axis=1)
        overall[f"weighted_{name}"] = _weighted_mean(values, support)
    overall["balanced_accuracy"] = overall["macro_recall"]
    return overall | _probability_arrays(rows, weights), by_class


def weighted_confusion(rows: ClassifiedRows, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Confusion matrices (R, K, K), true then predicted, under R weightings (R, N) of the rows."""
    size = len(rows.class_names)
    cell = np.zeros((rows.true_index.size, size * size))
    cell[np.arange(rows.true_index.size), rows.true_index * size + rows.predicted] = 1.0
    return (weights @ cell).reshape(-1, size, size)


def class_rates(matrices: NDArray[np.float64]) -> Arrays:
    """Threshold metrics of each class against the rest from (R, K, K) confusion matrices: (R, K) each."""
    tp = np.diagonal(matrices, axis1=1, axis2=2)
    fn, fp = matrices.sum(axis=2) - tp, matrices.sum(axis=1) - tp
    tn = matrices.sum(axis=(1, 2))[:, None] - tp - fn - fp
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "precision": tp / (tp + fp),
            "recall": tp / (tp + fn),
            "specificity": tn / (tn + fp),
            "npv": tn / (tn + fn),
            "f1": 2 * tp / (2 * tp + fp + fn),
        }


def _overall_arrays(matrices: NDArray[np.float64]) -> Arrays:
    """Accuracy, Cohen's kappa and R_K from (R, K, K) confusion matrices: (R,) each."""
    total = matrices.sum(axis=(1, 2))
    right = np.trace(matrices, axis1=1, axis2=2)
    true, chosen = matrices.sum(axis=2), matrices.sum(axis=1)
    crossed = np.sum(true * chosen, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        by_chance = crossed / total**2
        spread = (total**2 - np.sum(true**2, axis=1)) * (total**2 - np.sum(chosen**2, axis=1))
        return {
            "accuracy": right / total,
            "cohen_kappa": (right / total - by_chance) / (1 - by_chance),
            "mcc": (right * total - crossed) / np.sqrt(spread),
        }


def _probability_arrays(rows: ClassifiedRows, weights: NDArray[np.float64]) -> Arrays:
    given = rows.probabilities[np.arange(rows.true_index.size), rows.true_index]
    # scikit-learn's floor: a probability of zero for the truth costs 36 nats, not infinity
    surprise = -np.log(np.clip(given, np.finfo(np.float64).eps, 1.0))
    distance = np.sum(rows.probabilities**2, axis=1) - 2 * given + 1
    total = weights.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {"log_loss": weights @ surprise / total, "brier": weights @ distance / total / 2}


def _weighted_mean(values: NDArray[np.float64], support: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sum(np.where(support > 0, values * support, 0.0), axis=1) / support.sum(axis=1)
