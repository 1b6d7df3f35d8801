"""Pictures that differ as scans do, in what is large in them, and cost nothing to make."""

from __future__ import annotations

import cv2
import numpy as np


def smooth_scan(seed: int, side: int = 256) -> np.ndarray:
    """uint8 (side, side) in 30 .. 210: soft shapes of all sizes, one body alike in all, and a little noise."""
    random = np.random.default_rng(seed)
    body = np.sin(np.linspace(0, np.pi, side))[:, None] * np.sin(np.linspace(0, 2 * np.pi, side)) ** 2
    shapes = sum(cv2.resize(random.normal(size=(n, n)), (side, side), interpolation=cv2.INTER_CUBIC) for n in (5, 10, 20))
    whole = 2 * body + np.clip(shapes, -3, 3) / 3 + random.normal(0, 0.02, (side, side))
    return np.clip(30 + 180 * (whole + 1) / 4, 30, 210).astype(np.uint8)
