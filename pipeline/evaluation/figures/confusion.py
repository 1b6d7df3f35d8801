"""Confusion matrices of the arms and modalities."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.engine.errors import DataError
from pipeline.evaluation.figures.modality_titles import title_of
from pipeline.evaluation.figures.style import new_figure, set_panel_title, set_title

TITLE = "Count, and share of the true class"
# a count of six digits still fits a cell of this many inches
CELL_INCHES, SMALLEST_MATRIX_INCHES = 0.9, 2.0
# of a class name beside the matrix, and what axis labels and ticks need besides
LETTER_INCHES, MARGIN_INCHES = 0.085, 1.1
LONGEST_UPRIGHT = 12
COLUMNS = 4

Counts = Mapping[str, int] | Sequence[Sequence[int]]


def confusion_figure(
    confusions: Mapping[str, Mapping[str, Counts]], class_names: Sequence[str] | Mapping[str, Sequence[str]], title: str = TITLE
) -> Figure:
    """A matrix for each modality and arm, with the count and the share of the true class; a modality begins a row of its own.

    confusions: modality -> arm -> K lists of K counts, true class down, predicted across, or {"tn", "fp", "fn", "tp"}, as in
    a comparison's `confusion`; "" for a modality or arm that needs no name. class_names: K, of the modality or of all; of a
    binary count the negative one first. Raises DataError for counts of another shape.
    """
    arms = list(dict.fromkeys(arm for counts in confusions.values() for arm in counts))
    names = {m: class_names[m] if isinstance(class_names, Mapping) else class_names for m in confusions}
    matrix = max(SMALLEST_MATRIX_INCHES, CELL_INCHES * max(map(len, names.values())))
    beside = max(LETTER_INCHES * max(map(len, mine)) if _is_slanted(mine) else 0.0 for mine in names.values())
    columns = min(COLUMNS, len(arms))
    rows = -(-len(arms) // columns)
    size = matrix + MARGIN_INCHES + beside, matrix + MARGIN_INCHES + 0.4 + beside / 2
    figure, axes = new_figure(len(confusions) * rows, columns, *size)
    for axis in axes:
        axis.set_axis_off()
    for row, (modality, by_arm) in enumerate(confusions.items()):
        for place, arm in enumerate(arms):
            if arm in by_arm:
                axis = axes[row * rows * columns + place]
                _draw(axis, _matrix(by_arm[arm], len(names[modality])), names[modality])
                set_panel_title(axis, "\n".join(filter(None, [title_of(modality), arm])), matrix + MARGIN_INCHES / 2)
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
    axis.set_axis_on()
    # cells need not be square: a fixed aspect would move the axes after the layout had made room for their words
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axis.spines[:].set_visible(False)
    for edge in range(1, len(names)):
        axis.axhline(edge - 0.5, color="white", linewidth=1.5)
        axis.axvline(edge - 0.5, color="white", linewidth=1.5)
    for i, j in np.ndindex(matrix.shape):
        text = f"{int(matrix[i, j])}\n{shares[i, j]:.1%}" if totals[i, 0] else f"{int(matrix[i, j])}"
        axis.text(j, i, text, ha="center", va="center", color="white" if shares[i, j] > 0.55 else "black")
    slanted = _is_slanted(names)
    axis.set_xticks(range(len(names)), names, rotation=30 if slanted else 0, ha="right" if slanted else "center")
    axis.set_yticks(range(len(names)), names, rotation=0 if slanted else 90, va="center")
    axis.set(xlabel="Predicted class", ylabel="True class")


def _is_slanted(names: Sequence[str]) -> bool:
    """Whether class names need more room than a cell has."""
    return len(names) > 2 or max(map(len, names)) > LONGEST_UPRIGHT
