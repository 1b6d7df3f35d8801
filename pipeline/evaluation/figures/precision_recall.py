"""Precision-recall curves of a classifier of K classes."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from sklearn.metrics import precision_recall_curve

from pipeline.evaluation.figures.multiclass import drawn_classes, interval_text
from pipeline.evaluation.figures.style import LINES, PALETTE, new_figure
from pipeline.evaluation.statistics.multiclass_intervals import multiclass_intervals
from pipeline.evaluation.tables.multiclass_inputs import checked_rows


def precision_recall_figure(
    true_index: ArrayLike,
    probabilities: ArrayLike,
    class_names: Sequence[str],
    clusters: ArrayLike,
    positive_class: str | None = None,
    intervals: Mapping | None = None,
    resamples: int = 300,
    seed: int = 0,
    title: str = "",
) -> Figure:
    """Precision against recall of each class, with its average precision and the precision of guessing (its share).

    Arguments as in `one_vs_rest_roc_figure`. Of two classes only `positive_class`, or the second, is drawn. Steps, not
    lines: between two thresholds no classifier is to be had (Davis & Goadrich 2006). Raises DataError.
    """
    rows = checked_rows(true_index, probabilities, class_names)
    made = intervals or multiclass_intervals(true_index, probabilities, class_names, clusters, seed, resamples)
    figure, axes = new_figure(1, 1, 5.2, 5.2)
    axis = axes[0]
    for place in drawn_classes(rows, positive_class):
        name = rows.class_names[place]
        color, line = PALETTE[place % len(PALETTE)], LINES[place % len(LINES)]
        positive = rows.true_index == place
        if not positive.any():
            axis.plot([], [], color=color, linestyle=line, label=f"{name}: no rows")
            continue
        precision, recall, _ = precision_recall_curve(positive, rows.probabilities[:, place])
        share = float(np.mean(positive))
        label = f"{name}: AP {interval_text(made['per_class'][name]['average_precision'])}, share {share:.2f}"
        axis.plot(recall, precision, color=color, linestyle=line, drawstyle="steps-post", label=label)
        axis.axhline(share, color=color, linestyle=":", linewidth=0.9)
    axis.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axis.set(xlabel="Recall (sensitivity)", ylabel="Precision")
    axis.legend(loc="lower left", fontsize=8, framealpha=0.9)
    figure.suptitle(title or "Precision and recall; dotted: the class's share", fontsize=11)
    return figure
