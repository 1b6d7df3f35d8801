"""Confusion matrices and ROC curves of a classifier of K classes."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from pipeline.engine.errors import DataError
from pipeline.evaluation.figures.forest import forest_figure
from pipeline.evaluation.figures.style import GRAY, LINES, PALETTE, new_figure
from pipeline.evaluation.metrics.roc_band import roc_band
from pipeline.evaluation.statistics.multiclass_intervals import multiclass_intervals
from pipeline.evaluation.tables.multiclass_inputs import ClassifiedRows, checked_rows, class_position

# a count of six digits still fits a cell of this many inches
CELL_INCHES = 0.95
COMPARED = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc", "macro_average_precision", "cohen_kappa")


def confusion_matrix_figure(confusion: ArrayLike, class_names: Sequence[str], title: str = "") -> Figure:
    """Counts (left) and shares of the true class (right).

    confusion: (K, K) counts, true class down, predicted across, as in `multiclass_metrics`. Raises DataError for another
    shape.
    """
    counts = np.asarray(confusion, dtype=np.float64)
    size = len(class_names)
    if counts.shape != (size, size):
        raise DataError(f"The confusion matrix has shape {counts.shape}, expected ({size}, {size}).", "Name every class.")
    side = max(3.2, CELL_INCHES * size + 1.6)
    figure, axes = new_figure(1, 2, side, side)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    _matrix(axes[0], counts / max(1.0, counts.max()), [[f"{int(cell)}" for cell in row] for row in counts], class_names)
    words = [[f"{share:.1%}" if total else "–" for share in row] for row, total in zip(shares, totals[:, 0], strict=True)]
    _matrix(axes[1], shares, words, class_names)
    axes[0].set_title("Counts", fontsize=10)
    axes[1].set_title("Share of the true class", fontsize=10)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def one_vs_rest_roc_figure(
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
    """ROC of each class against the rest, with a 95 % patient-clustered band and the AUC's interval.

    Shapes as in `multiclass_intervals`, whose result `intervals` is (so that figure and table agree; made here without).
    Of two classes only one is drawn, `positive_class` or the second: the other's curve is its mirror. A class without
    rows is named in the legend. Raises DataError.
    """
    rows = checked_rows(true_index, probabilities, class_names)
    made = intervals or multiclass_intervals(true_index, probabilities, class_names, clusters, seed, resamples)
    figure, axes = new_figure(1, 1, 5.2, 5.2)
    axis = axes[0]
    axis.plot([0, 1], [0, 1], color=GRAY, linewidth=0.8, linestyle=":")
    for place in drawn_classes(rows, positive_class):
        name = rows.class_names[place]
        color, line = PALETTE[place % len(PALETTE)], LINES[place % len(LINES)]
        positive = rows.true_index == place
        if positive.all() or not positive.any():
            axis.plot(
                [], [], color=color, linestyle=line, label=f"{name}: no rows" if not positive.any() else f"{name}: all rows"
            )
            continue
        band = roc_band(positive, rows.probabilities[:, place], clusters, resamples, seed)
        axis.fill_between(band.false_positive_rate, band.low, band.high, color=color, alpha=0.15, linewidth=0)
        label = f"{name}: AUC {interval_text(made['per_class'][name]['auc'])}"
        axis.plot(band.false_positive_rate, band.sensitivity, color=color, linestyle=line, label=label)
    axis.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axis.set(xlabel="False-positive rate (1 − specificity)", ylabel="Sensitivity")
    axis.legend(loc="lower right", fontsize=8, framealpha=0.9)
    figure.suptitle(title or "ROC, each class against the rest, with 95 % band by patient", fontsize=11)
    return figure


def classifiers_figure(document: dict, metrics: Sequence[str] = COMPARED, title: str = "") -> Figure:
    """Forest plot of the arms of a `compare_classifiers` document: value and interval of each metric."""
    shaped = {
        "arms": document["arms"],
        "modalities": {title or "Metrics": document["metrics"]},
        "settings": document["settings"],
    }
    figure = forest_figure(shaped, metrics)
    # the arms' names stand side by side below one panel
    figure.set_size_inches(max(5.4, 1.7 * len(document["arms"])), figure.get_size_inches()[1])
    figure.axes[0].set_title("")
    figure.suptitle(title or f"With {document['settings']['level']:.0%} intervals by patient", fontsize=11)
    return figure


def drawn_classes(rows: ClassifiedRows, positive_class: str | None) -> list[int]:
    """Places of the classes that have a curve of their own: all, or of two the positive one (else the second)."""
    if positive_class is not None:
        place = class_position(positive_class, rows.class_names)
        return [place] if len(rows.class_names) == 2 else list(range(len(rows.class_names)))
    return [1] if len(rows.class_names) == 2 else list(range(len(rows.class_names)))


def interval_text(interval: Mapping[str, float | None]) -> str:
    """E.g. "0.912 [0.880, 0.941]"; "undefined" where there is no value."""
    if interval["value"] is None:
        return "undefined"
    if interval["low"] is None or interval["high"] is None:
        return f"{interval['value']:.3f}"
    return f"{interval['value']:.3f} [{interval['low']:.3f}, {interval['high']:.3f}]"


def _matrix(axis: Axes, shade: NDArray[np.float64], words: Sequence[Sequence[str]], names: Sequence[str]) -> None:
    axis.imshow(shade, cmap="Blues", vmin=0, vmax=1)
    axis.spines[:].set_visible(False)
    for i, j in np.ndindex(shade.shape):
        axis.text(j, i, words[i][j], ha="center", va="center", fontsize=9, color="white" if shade[i, j] > 0.55 else "black")
    slanted = len(names) > 2 or max(map(len, names)) > 12
    axis.set_xticks(range(len(names)), names, rotation=30 if slanted else 0, ha="right" if slanted else "center", fontsize=9)
    axis.set_yticks(range(len(names)), names, fontsize=9)
    axis.tick_params(length=0)
    axis.set(xlabel="Predicted", ylabel="True")
