"""Which metrics are compared between groups, and how many patients of a group each one rests on."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.statistics.multiclass_intervals import metric_draws
from pipeline.evaluation.tables.multiclass_inputs import ClassifiedRows, class_position

LOWER_IS_BETTER = frozenset({"brier"})
OF_POSITIVE = ("sensitivity", "specificity", "precision", "f1", "auc")
SCORED = frozenset({"auc", "macro_auc", "brier"})


def fairness_metrics(class_names: Sequence[str], positive_class: str | None, scored: bool) -> dict[str, str]:
    """{name in the document: name in `metric_draws`}, without those that need probabilities unless `scored`."""
    names = {"accuracy": "accuracy", "balanced_accuracy": "balanced_accuracy"}
    if positive_class is not None:
        class_position(positive_class, class_names)
    if positive_class is not None and len(class_names) == 2:
        names |= {metric: f"{metric}:{positive_class}" for metric in OF_POSITIVE}
    else:
        names |= {"macro_f1": "macro_f1", "macro_auc": "macro_auc"}
        names |= {f"sensitivity:{name}": f"sensitivity:{name}" for name in class_names}
    names["brier"] = "brier"
    return {name: source for name, source in names.items() if scored or name not in SCORED}


def selected_draws(rows: ClassifiedRows, weights: NDArray, metrics: Mapping[str, str]) -> dict[str, NDArray[np.float64]]:
    """`metric_draws` (R,) under the document's names. A mean over classes is NaN where a group lacks one of them."""
    made = metric_draws(rows, weights)
    return {name: made[source] for name, source in metrics.items()}


def group_support(
    rows: ClassifiedRows, codes: NDArray[np.intp], inside: NDArray[np.bool_], metrics: Mapping[str, str]
) -> dict[str, int]:
    """Patients of a group that each metric rests on: of its rarer side, where it has two.

    A sensitivity rests on the patients with the class, an AUC on the fewer of those with and without it, a mean over
    classes on the rarest class that the whole data has.
    """

    def patients(chosen: NDArray[np.bool_]) -> int:
        return int(np.unique(codes[inside & chosen]).size)

    classes = np.unique(rows.true_index)
    rarest = min(patients(rows.true_index == k) for k in classes)
    found = {}
    for name, source in metrics.items():
        metric, _, of_class = source.partition(":")
        if not of_class:
            found[name] = patients(inside) if metric in ("accuracy", "brier") else rarest
            continue
        place = rows.class_names.index(of_class)
        has, called = rows.true_index == place, rows.predicted == place
        sides = {"specificity": (~has,), "precision": (called,), "auc": (has, ~has)}.get(metric, (has,))
        found[name] = min(patients(side) for side in sides)
    return found
