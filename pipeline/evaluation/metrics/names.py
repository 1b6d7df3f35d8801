"""The names of metrics: one grammar, the names by which documents of two and of K classes call them, and people's words.

| name | number |
|---|---|
| accuracy, cohen_kappa, mcc, log_loss, brier | one of all classes together |
| f1:VIRAL | of one class against the rest; any of CLASS_METRICS |
| macro_f1 | mean over the classes that have rows |
| weighted_f1 | the same, weighted by their rows |
| mean_f1 | mean over all classes, undefined where one of them is |
| balanced_accuracy | macro_recall by its other name |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.evaluation.tables.rows import Rows

OVERALL = ("accuracy", "balanced_accuracy", "cohen_kappa", "mcc", "log_loss", "brier")
CLASS_METRICS = ("precision", "recall", "sensitivity", "specificity", "npv", "f1", "auc", "average_precision")
AVERAGES = ("macro", "weighted", "mean")
AVERAGED = ("precision", "recall", "specificity", "f1", "auc", "average_precision")
# what `class_metrics` and `class_intervals` give of K classes together
MULTICLASS_METRICS = (
    "accuracy", "balanced_accuracy", *(f"macro_{name}" for name in AVERAGED), *(f"weighted_{name}" for name in AVERAGED),
    "cohen_kappa", "mcc", "log_loss", "brier",
)  # fmt: skip
# what documents say of a positive class of two: their name, and the grammar's of the positive class {}
BINARY_METRICS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "mean_recall",
    "class_wise_mean_accuracy": "mean_precision",
    "sensitivity": "recall:{}",
    "specificity": "specificity:{}",
    "ppv": "precision:{}",
    "npv": "npv:{}",
    "f1": "f1:{}",
    "auc": "auc:{}",
    "average_precision": "average_precision:{}",
    "brier": "brier",
    "mcc": "mcc",
}
# what a comparison says of K classes
COMPARED = (
    "accuracy", "balanced_accuracy", "macro_precision", "macro_f1", "macro_auc", "macro_average_precision", "cohen_kappa",
    "mcc", "log_loss", "brier",
)  # fmt: skip
COMPARED_OF_CLASS = ("sensitivity", "specificity", "precision", "f1", "auc")
TESTED = ("accuracy", "macro_f1", "macro_auc")
TESTED_BINARY = ("accuracy", "auc")
# what people are told, in tables, sentences and figures; a name that is not here is told in its own words
WORDS = {
    "auc": "AUC", "f1": "F1", "macro_f1": "macro-F1", "ppv": "PPV", "npv": "NPV", "mcc": "Matthews correlation",
    "brier": "Brier score", "cohen_kappa": "Cohen's kappa", "dice": "Dice", "iou": "IoU", "hd95": "HD95 (px)",
    "mean_surface_distance": "mean surface distance (px)", "pooled_dice": "pooled Dice",
    "class_wise_mean_accuracy": "class-wise mean accuracy",
}  # fmt: skip
# of two measures of K classes, and of masks, the smaller is the better
LOWER_IS_BETTER = frozenset({"brier", "log_loss", "hd95", "mean_surface_distance"})
SEGMENTATION_METRICS = ("dice", "iou", "hd95", "mean_surface_distance")
_OF_PROBABILITIES = ("auc", "average_precision", "brier", "log_loss")


def metric_words(metric: str) -> str:
    """What people are told for a metric, within a sentence or a table: "AUC", "macro-F1", "sensitivity of VIRAL"."""
    name, _, of_class = metric.partition(":")
    average, _, averaged = name.partition("_")
    if name in WORDS:
        words = WORDS[name]
    elif average in AVERAGES and averaged in AVERAGED:
        words = f"{average} {metric_words(averaged)}"
    else:
        words = name.replace("_", " ")
    return f"{words} of {of_class}" if of_class else words


def metric_title(metric: str) -> str:
    """The same at the head of a column or beside an axis: "AUC", "Macro-F1", "Balanced accuracy"."""
    words = metric_words(metric)
    return words[:1].upper() + words[1:]


def binary_names(positive_class: str, metrics: Sequence[str] = tuple(BINARY_METRICS)) -> dict[str, str]:
    """{name in documents of two classes: name in the grammar}."""
    return {name: BINARY_METRICS[name].format(positive_class) for name in metrics}


def document_metrics(rows: Rows) -> dict[str, str]:
    """The metrics that a comparison reports of the rows: {name in the document: name in the grammar}."""
    if rows.is_binary:
        return _known(binary_names(str(rows.positive_class)), rows.scored)
    of_classes = (f"{metric}:{name}" for name in rows.class_names for metric in COMPARED_OF_CLASS)
    return _known({name: name for name in (*COMPARED, *of_classes)}, rows.scored)


def tested_metrics(rows: Rows) -> dict[str, str]:
    """The metrics that a comparison tests: {name in the document: name in the grammar}."""
    if rows.is_binary:
        return _known(binary_names(str(rows.positive_class), TESTED_BINARY), rows.scored)
    return _known({name: name for name in TESTED}, rows.scored)


def _known(names: Mapping[str, str], scored: bool) -> dict[str, str]:
    """Without those that need probabilities, where there are none."""
    return {
        name: source for name, source in names.items() if scored or not source.partition(":")[0].endswith(_OF_PROBABILITIES)
    }
