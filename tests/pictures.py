"""Pictures for tests that ask for nothing but a brightness: flat ones are refused as no scans."""

from __future__ import annotations

import numpy as np

from pipeline.data.reading.assumptions import ReadScan, ScanHeader


def shaded(height: int, width: int, level: int) -> np.ndarray:
    """uint8 (height, width) with a mean of `level`, up to 8 darker on the left and as much lighter on the right."""
    reach = min(8, level, 255 - level)
    half = np.rint(np.linspace(reach, 1, width // 2)).astype(int)
    row = np.concatenate([-half, np.zeros(width % 2, int), half[::-1]])
    return np.broadcast_to((level + row).astype(np.uint8), (height, width)).copy()


def as_read(gray: np.ndarray) -> ReadScan:
    """uint8 (H, W) as if a file had been read: for pictures, such as flat ones, that no reader would give."""
    return ReadScan(gray, None, (), ScanHeader("pixels"))
