"""Mask files as the values that they hold, before anything is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data.reading.dicom_chain.presentation import to_bytes
from pipeline.data.reading.label_reader import read_labels

# A colour is its red, green and blue in one number beyond all gray values (16 bits).
COLOUR = 1 << 24
MANY_VALUES = 16


@dataclass(frozen=True, slots=True)
class MaskPixels:
    """One mask file.

    values: ``(H, W)``, gray values uint8 or uint16 as they are stored, or colours as int64
    ``COLOUR | red << 16 | green << 8 | blue``.
    exact: whether every value that occurs was meant: no JPEG, and no more than MANY_VALUES of them.
    """

    values: np.ndarray
    exact: bool


def read_mask_pixels(path: Path) -> MaskPixels:
    """A mask's values. Colours whose parts are equal are gray; 16-bit values stay what they are.

    Raises DataError: the file cannot be read as a picture.
    """
    stored = read_labels(path)
    values = _whole(stored.values)
    if values.ndim == 3:
        red, green, blue = (np.ascontiguousarray(values[..., channel]) for channel in range(3))
        if np.array_equal(red, green) and np.array_equal(red, blue):
            values = red
        else:
            parts = (part.astype(np.int64) >> 8 * (part.itemsize - 1) for part in (red, green, blue))
            values = COLOUR | next(parts) << 16 | next(parts) << 8 | next(parts)
    exact = stored.container != "JPEG" and len(value_counts(values)) <= MANY_VALUES
    return MaskPixels(values, exact)


def value_counts(values: np.ndarray) -> dict[int, int]:
    """``{value: pixels}`` of those that occur, ascending."""
    if values.dtype == np.uint8:
        counts = np.bincount(values.ravel(), minlength=256)
        return {int(value): int(counts[value]) for value in np.flatnonzero(counts)}
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def channels_of(values: np.ndarray) -> np.ndarray:
    """int64 ``(…, 3)`` red, green and blue of any values; of gray ones all three are the value."""
    coloured = values >= COLOUR
    parts = [np.where(coloured, values >> shift & 255, values) for shift in (16, 8, 0)]
    return np.stack(parts, axis=-1)


def value_name(value: int) -> str:
    """A value as people write it: ``2``, or ``#ff0000``."""
    return f"#{value - COLOUR:06x}" if value >= COLOUR else str(value)


def _whole(values: np.ndarray) -> np.ndarray:
    """uint8 or uint16: numbers of other types that are no such numbers, from their lowest to their highest over 0 … 255."""
    if values.dtype in (np.uint8, np.uint16):
        return values
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high < 1 << 16 and (values == np.floor(values)).all():
        return values.astype(np.uint16)
    return to_bytes(values, low, high)
