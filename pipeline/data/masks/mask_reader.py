"""Lung masks from files to arrays of 0 and 1."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from pipeline.data.masks.mask_coding import MaskCoding
from pipeline.data.masks.mask_pixels import read_mask_pixels

# What lungs fill of a chest picture, at least and at most: beyond it, a mask is of something else, or of nothing.
PLAUSIBLE_SHARE = (0.02, 0.70)


def read_lungs(path: Path, coding: MaskCoding) -> np.ndarray:
    """A mask file as uint8 ``(H, W)`` of 0 and 1 (1 = lung), by what the values of its set mean.

    Raises DataError: the file cannot be read as a picture.
    """
    return coding.lungs_of(read_mask_pixels(path).values)


def read_mask(path: Path, size: int, coding: MaskCoding) -> np.ndarray:
    """`read_lungs` as ``(size, size)``: stretched to the square by nearest neighbour, as the scan beside it is stretched, so
    that no value in between appears."""
    return resize_mask(read_lungs(path, coding), (size, size))


def read_mask_at(path: Path, shape: tuple[int, int], coding: MaskCoding) -> tuple[np.ndarray, bool]:
    """`read_lungs` as bool ``shape``, and whether the file had another size, from which it was stretched."""
    mask = read_lungs(path, coding)
    return resize_mask(mask, shape).astype(bool), mask.shape != tuple(shape)


def resize_mask(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """uint8 ``(H, W)`` → ``shape``, by nearest neighbour, with the values it had."""
    return cv2.resize(mask, shape[::-1], interpolation=cv2.INTER_NEAREST)


def share_fault(mask: np.ndarray) -> str | None:
    """What is odd about the share of the picture that a mask calls lung; None where nothing is."""
    share, (least, most) = float(np.mean(mask > 0)), PLAUSIBLE_SHARE
    if share == 0:
        return "the mask is empty"
    if not least <= share <= most:
        return f"{share:.1%} of the picture are lung, {least:.0%} to {most:.0%} are plausible"
    return None
