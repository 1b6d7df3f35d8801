"""The one check that labels and probabilities pass before any number is made of them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.engine.errors import DataError


def checked_labels(labels: ArrayLike) -> NDArray[np.bool_]:
    """Labels as booleans, True = positive class.

    labels: (N,), values 0 or 1, any dtype. Raises DataError when empty, not one-dimensional or not 0/1.
    """
    values = np.asarray(labels)
    if values.ndim != 1:
        raise DataError(f"Labels have shape {values.shape}, expected (N,).", "Pass one label per row.")
    if values.size == 0:
        raise DataError("There are no rows to evaluate.", "Check the split or the selection: it is empty.")
    if values.dtype == bool:
        return values
    if not np.issubdtype(values.dtype, np.number):
        raise DataError(
            f"Labels are {values.dtype}, expected 0 or 1.", "Name the positive class when reading."
        )
    wrong = ~((values == 0) | (values == 1))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"Label {values[row]} in row {row} is neither 0 nor 1.", "Positive = 1, negative = 0."
        )
    return values.astype(bool)


def checked_probabilities(probabilities: ArrayLike, rows: int) -> NDArray[np.float64]:
    """Probabilities of the positive class as float64 (S, N), one row per training seed.

    probabilities: (N,) or (S, N) in [0, 1]. Raises DataError on NaN, values outside [0, 1] or N != rows.
    """
    values = np.asarray(probabilities, dtype=np.float64)
    if values.ndim == 1:
        values = values[None, :]
    if values.ndim != 2 or values.shape[0] == 0 or values.shape[1] != rows:
        raise DataError(
            f"Probabilities have shape {np.shape(probabilities)}, expected ({rows},) or (seeds, {rows}).",
            "Pass one probability per labelled row.",
        )
    if not np.isfinite(values).all():
        seed, row = np.argwhere(~np.isfinite(values))[0]
        raise DataError(
            f"Probability in row {row} (seed {seed}) is {values[seed, row]}.",
            "Leave failed scans out before evaluating; a NaN from a model means that its training diverged.",
        )
    if values.min() < 0 or values.max() > 1:
        raise DataError(
            f"Probabilities span {values.min():.4g} to {values.max():.4g}, outside [0, 1].",
            "Apply the sigmoid to logits first.",
        )
    return values


def checked_binary(
    labels: ArrayLike, probabilities: ArrayLike
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Both checks: (N,) bool labels and (S, N) float64 probabilities. Raises DataError."""
    positive = checked_labels(labels)
    return positive, checked_probabilities(probabilities, positive.size)
