"""Figures of one classifier of K classes: confusion matrices, and ROC and precision-recall curves of each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.evaluation.figures.style import GRAY, LINES, PALETTE, new_figure


def class_confusion_figure(counts: Sequence[Sequence[int]], class_names: Sequence[str], title: str = "") -> Figure:
    """Counts at the left, shares of the true class at the right.

    counts: K lists of K counts, true class down, predicted class across.
    """
    matrix = np.asarray(counts, np.float64)
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.zeros_like(matrix), where=totals > 0)
    side = max(3.2, 0.9 * len(class_names) + 1.4)
    figure, axes = new_figure(1, 2, side, side)
    for axis, texts, kind in zip(axes, (matrix.astype(int).astype(str), np.vectorize("{:.1%}".format)(shares)),
                                 ("Scans", "Share of the true class"), strict=True):  # fmt: skip
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axis.spines[:].set_visible(False)
        for i, j in np.ndindex(matrix.shape):
            axis.text(j, i, texts[i, j], ha="center", va="center", color="white" if shares[i, j] > 0.55 else "black")
        axis.set_xticks(range(len(class_names)), class_names, rotation=20, ha="right")
        axis.set_yticks(range(len(class_names)), class_names)
        axis.set(xlabel="Predicted", ylabel="True", title=kind)
    figure.suptitle(title, fontsize=11)
    return figure


def class_roc_figure(
    true_index: NDArray, probabilities: NDArray, class_names: Sequence[str], drawn: Sequence[str], title: str = ""
) -> Figure:
    """ROC curve of each class in `drawn` against the rest, with its AUC; a class without both sides is left out."""
    from sklearn.metrics import roc_auc_score, roc_curve

    figure, (axis,) = new_figure(1, 1, 4.8, 4.6)
    axis.plot([0, 1], [0, 1], color=GRAY, linewidth=0.8, linestyle=":")
    for place, name, truth, scores in _against_the_rest(true_index, probabilities, class_names, drawn):
        false_rate, true_rate, _ = roc_curve(truth, scores)
        axis.plot(false_rate, true_rate, color=PALETTE[place % len(PALETTE)], linestyle=LINES[place % len(LINES)],
                  label=f"{name}: AUC {roc_auc_score(truth, scores):.3f}")  # fmt: skip
    axis.set(xlabel="1 - specificity", ylabel="Sensitivity", title=title, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axis.legend(loc="lower right", fontsize=8)
    return figure


def class_precision_recall_figure(
    true_index: NDArray, probabilities: NDArray, class_names: Sequence[str], drawn: Sequence[str], title: str = ""
) -> Figure:
    """Precision against recall of each class in `drawn`, with its average precision and its share as a dotted line."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    figure, (axis,) = new_figure(1, 1, 4.8, 4.6)
    for place, name, truth, scores in _against_the_rest(true_index, probabilities, class_names, drawn):
        precision, recall, _ = precision_recall_curve(truth, scores)
        color = PALETTE[place % len(PALETTE)]
        axis.axhline(truth.mean(), color=color, linewidth=0.8, linestyle=":")
        axis.plot(recall, precision, color=color, linestyle=LINES[place % len(LINES)],
                  label=f"{name}: average precision {average_precision_score(truth, scores):.3f}")  # fmt: skip
    axis.set(xlabel="Recall", ylabel="Precision", title=title, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axis.legend(loc="lower left", fontsize=8)
    return figure


def _against_the_rest(true_index, probabilities, class_names, drawn):
    for place, name in enumerate(drawn):
        position = list(class_names).index(name)
        truth = np.asarray(true_index) == position
        if truth.any() and not truth.all():
            yield place, name, truth, np.asarray(probabilities)[:, position]
