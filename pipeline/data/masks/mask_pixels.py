"""Mask files as the values that they hold, before anything is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.data.reading.scan_reader import read_scan

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
    scan = read_scan(path)
    values = _as_stored(path, scan.gray)
    if scan.colour is not None:
        red, green, blue = (np.ascontiguousarray(scan.colour[..., channel]) for channel in range(3))
        if np.array_equal(red, green) and np.array_equal(red, blue):
            values = red
        else:
            values = COLOUR | red.astype(np.int64) << 16 | green.astype(np.int64) << 8 | blue
    exact = scan.header.container != "JPEG" and len(value_counts(values)) <= MANY_VALUES
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


def _as_stored(path: Path, gray: np.ndarray) -> np.ndarray:
    """The gray values of the file itself where it has more than 8 bits, which a scan's reader stretches."""
    stored = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    fits = stored is not None and stored.dtype == np.uint16 and stored.shape == gray.shape
    return stored if fits else gray
