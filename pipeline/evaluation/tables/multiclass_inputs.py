"""The one check that class indices and class probabilities pass before any number is made of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.engine.errors import DataError, did_you_mean

# probabilities come from float16 graphs and from CSV files with a few decimals
SUM_TOLERANCE = 0.01


@dataclass(frozen=True)
class ClassifiedRows:
    """Checked rows: `true_index` (N,), `probabilities` (N, K) float64, `predicted` (N,), `class_names` of length K."""

    true_index: NDArray[np.intp]
    probabilities: NDArray[np.float64]
    predicted: NDArray[np.intp]
    class_names: tuple[str, ...]


def checked_rows(
    true_index: ArrayLike,
    probabilities: ArrayLike,
    class_names: Sequence[str],
    predicted: ArrayLike | None = None,
) -> ClassifiedRows:
    """Rows of a K-class classifier, K >= 2.

    true_index, predicted: (N,) integers 0 .. K-1; probabilities: (N, K) in [0, 1], rows that sum to 1 within
    SUM_TOLERANCE; predicted None: the most probable class, the first where equal. Raises DataError.
    """
    names = tuple(str(name) for name in class_names)
    if len(names) < 2 or len(set(names)) != len(names):
        raise DataError(f"Class names are {', '.join(names) or 'none'}.", "Give two or more, each once.")
    values = _checked_probabilities(probabilities, len(names))
    truth = _checked_index(true_index, values.shape[0], names, "True class")
    chosen = values.argmax(axis=1) if predicted is None else _checked_index(predicted, truth.size, names, "Predicted class")
    return ClassifiedRows(truth, values, chosen, names)


def class_position(name: str, class_names: Sequence[str]) -> int:
    """Index of a class by its name. Raises DataError naming the classes there are."""
    if name not in class_names:
        raise DataError(
            f"There is no class {name!r} among {', '.join(class_names)}.", f"Name one of them.{did_you_mean(name, class_names)}"
        )
    return list(class_names).index(name)


def _checked_probabilities(probabilities: ArrayLike, classes: int) -> NDArray[np.float64]:
    values = np.asarray(probabilities, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != classes:
        raise DataError(
            f"Probabilities have shape {values.shape}, expected (N, {classes}).",
            "Pass one column for each class, in their order.",
        )
    if values.shape[0] == 0:
        raise DataError("There are no rows to evaluate.", "Check the split or the selection: it is empty.")
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0, 0])
        raise DataError(
            f"A probability in row {row} is not a number.",
            "Leave failed scans out before evaluating; a NaN from a model means that its training diverged.",
        )
    if values.min() < 0 or values.max() > 1:
        raise DataError(
            f"Probabilities span {values.min():.4g} to {values.max():.4g}, outside [0, 1].", "Apply the softmax to logits first."
        )
    sums = values.sum(axis=1)
    worst = int(np.argmax(np.abs(sums - 1)))
    if abs(sums[worst] - 1) > SUM_TOLERANCE:
        raise DataError(f"The probabilities of row {worst} sum to {sums[worst]:.4g}, not 1.", "Pass a softmax over all classes.")
    return values


def _checked_index(index: ArrayLike, rows: int, names: Sequence[str], what: str) -> NDArray[np.intp]:
    values = np.asarray(index)
    if values.shape != (rows,):
        raise DataError(f"{what} has shape {values.shape}, expected ({rows},).", "Pass one index for each row.")
    if not np.issubdtype(values.dtype, np.integer):
        raise DataError(f"{what} is {values.dtype}, expected integers.", f"Pass positions in {', '.join(names)}.")
    wrong = (values < 0) | (values >= len(names))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"{what} {values[row]} in row {row} is outside 0 .. {len(names) - 1}.", f"The classes are {', '.join(names)}."
        )
    return values.astype(np.intp)
