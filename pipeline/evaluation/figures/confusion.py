"""Confusion matrices of the arms and modalities."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.engine.errors import DataError
from pipeline.evaluation.figures.modality_titles import title_of
from pipeline.evaluation.figures.style import new_figure, set_title

TITLE = "Seed-averaged prediction: count and share of the true class"
# a count of six digits still fits a cell of this many inches
CELL_INCHES = 0.9

Counts = Mapping[str, int] | Sequence[Sequence[int]]


def confusion_figure(
    confusions: Mapping[str, Mapping[str, Counts]], class_names: Sequence[str] | Mapping[str, Sequence[str]], title: str = TITLE
) -> Figure:
    """A matrix for each modality (rows of the figure) and arm (columns), with the count and the share of the true class.

    confusions: modality -> arm -> K lists of K counts, true class down, predicted across, or {"tn", "fp", "fn", "tp"}, as in
    a comparison's `confusion`; "" for a modality or arm that needs no name. class_names: K, of the modality or of all; of a
    binary count the negative one first. Raises DataError for counts of another shape.
    """
    arms = list(dict.fromkeys(arm for counts in confusions.values() for arm in counts))
    names = {m: class_names[m] if isinstance(class_names, Mapping) else class_names for m in confusions}
    side = max(3.1, CELL_INCHES * max(map(len, names.values())) + 1.5)
    figure, axes = new_figure(len(confusions), len(arms), side, side)
    for row, (modality, by_arm) in enumerate(confusions.items()):
        for column, arm in enumerate(arms):
            axis = axes[row * len(arms) + column]
            if arm not in by_arm:
                axis.set_axis_off()
                continue
            _draw(axis, _matrix(by_arm[arm], len(names[modality])), names[modality])
            axis.set_title(", ".join(filter(None, [title_of(modality), arm])))
    set_title(figure, title)
    return figure


def _matrix(counts: Counts, size: int) -> NDArray[np.float64]:
    if isinstance(counts, Mapping):
        counts = [[counts["tn"], counts["fp"]], [counts["fn"], counts["tp"]]]
    matrix = np.asarray(counts, dtype=np.float64)
    if matrix.shape != (size, size):
        raise DataError(f"The confusion matrix has shape {matrix.shape}, expected ({size}, {size}).", "Name every class.")
    return matrix


def _draw(axis: Axes, matrix: NDArray[np.float64], names: Sequence[str]) -> None:
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.zeros_like(matrix), where=totals > 0)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axis.spines[:].set_visible(False)
    for i, j in np.ndindex(matrix.shape):
        text = f"{int(matrix[i, j])}\n{shares[i, j]:.1%}" if totals[i, 0] else f"{int(matrix[i, j])}"
        axis.text(j, i, text, ha="center", va="center", color="white" if shares[i, j] > 0.55 else "black")
    slanted = len(names) > 2 or max(map(len, names)) > 12
    axis.set_xticks(range(len(names)), names, rotation=30 if slanted else 0, ha="right" if slanted else "center")
    axis.set_yticks(range(len(names)), names, rotation=0 if slanted else 90, va="center")
    axis.set(xlabel="Predicted", ylabel="True")
