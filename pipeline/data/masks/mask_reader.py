"""Lung masks from files to arrays of 0 and 1."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from pipeline.data.reading.dicom_chain.presentation import to_bytes
from pipeline.data.reading.label_reader import read_labels

MASK_THRESHOLD = 127


def read_mask(path: Path, size: int) -> np.ndarray:
    """A mask file as uint8 ``(size, size)`` of 0 and 1 (1 = lung).

    A pixel belongs to the lung where its gray value is over 127, whatever the file's own size; it is stretched to
    the square by nearest neighbour, as the scan beside it is stretched, so that no value in between appears.

    Raises:
        DataError: the file cannot be read as a picture.
    """
    return resize_mask(_lungs(path), (size, size))


def read_mask_at(path: Path, shape: tuple[int, int]) -> tuple[np.ndarray, bool]:
    """A mask file as bool ``shape`` and whether it had another size, from which it was stretched as by `read_mask`.

    Raises DataError: not a picture.
    """
    mask = _lungs(path)
    return resize_mask(mask, shape).astype(bool), mask.shape != tuple(shape)


def resize_mask(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """uint8 ``(H, W)`` → ``shape``, by nearest neighbour, with the values it had."""
    return cv2.resize(mask, shape[::-1], interpolation=cv2.INTER_NEAREST)


def _lungs(path: Path) -> np.ndarray:
    values = read_labels(path).values
    if values.dtype != np.uint8:
        values = to_bytes(values, float(values.min()), float(values.max()))
    gray = values if values.ndim == 2 else cv2.cvtColor(np.ascontiguousarray(values), cv2.COLOR_RGB2GRAY)
    return (gray > MASK_THRESHOLD).astype(np.uint8)
