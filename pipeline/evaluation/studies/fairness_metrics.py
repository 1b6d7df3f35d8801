"""Which metrics are compared between groups, and how many patients of a group each one rests on."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.tables.rows import Rows

OF_POSITIVE = ("sensitivity", "specificity", "precision", "f1", "auc")
SCORED = frozenset({"auc", "macro_auc", "brier"})


def fairness_metrics(rows: Rows) -> dict[str, str]:
    """{name in the document: name in the grammar of metrics}, without those that need probabilities where there are none."""
    names = {"accuracy": "accuracy", "balanced_accuracy": "balanced_accuracy"}
    if rows.is_binary:
        names |= {metric: f"{metric}:{rows.positive_class}" for metric in OF_POSITIVE}
    else:
        names |= {"macro_f1": "macro_f1", "macro_auc": "macro_auc"}
        names |= {f"sensitivity:{name}": f"sensitivity:{name}" for name in rows.class_names}
    names["brier"] = "brier"
    return {name: source for name, source in names.items() if rows.scored or name not in SCORED}


def group_support(
    rows: Rows, codes: NDArray[np.intp], inside: NDArray[np.bool_], metrics: Mapping[str, str]
) -> dict[str, int]:
    """Patients of a group that each metric rests on: of its rarer side, where it has two.

    A sensitivity rests on the patients with the class, an AUC on the fewer of those with and without it, a mean over
    classes on the rarest class that the whole data has.
    """

    def patients(chosen: NDArray[np.bool_]) -> int:
        return int(np.unique(codes[inside & chosen]).size)

    classes = np.unique(rows.truth)
    rarest = min(patients(rows.truth == k) for k in classes)
    found = {}
    for name, source in metrics.items():
        metric, _, of_class = source.partition(":")
        if not of_class:
            found[name] = patients(inside) if metric in ("accuracy", "brier") else rarest
            continue
        place = rows.class_names.index(of_class)
        has, called = rows.truth == place, rows.predicted[0] == place
        sides = {"specificity": (~has,), "precision": (called,), "auc": (has, ~has)}.get(metric, (has,))
        found[name] = min(patients(side) for side in sides)
    return found
