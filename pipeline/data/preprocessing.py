"""From a scan to the array a model is fed: the one preprocessing, in training and in inference alike."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from pydantic import Field

from pipeline.engine.settings import Settings

Operation = Literal["clahe", "opening", "equalize"]

CLAHE_CLIP = 4.0
CLAHE_TILES = (8, 8)
OPENING_KERNEL = np.ones((2, 2), np.uint8)

# Scans are small and are read by several threads at once: OpenCV's own pool would only get in their way.
cv2.setNumThreads(1)


class Profile(Settings):
    """What a consumer wants its scans to be."""

    modality: Literal["xray", "ct"]
    """Which scans are taken."""
    size: int = Field(default=224, ge=16, le=2048)
    """Side of the square that each scan becomes, px."""
    operations: tuple[Operation, ...] = ()
    """Applied in their order at the scan's own resolution, before it is resized."""

    @property
    def key(self) -> str:
        """A file-name-safe name that two profiles share only if they give the same arrays:
        `ct_224_clahe_opening`."""
        return "_".join((self.modality, str(self.size), *self.operations))


def preprocess(gray: np.ndarray, profile: Profile) -> np.ndarray:
    """uint8 (H, W) → uint8 (size, size).

    clahe: contrast-limited adaptive histogram equalisation (Zuiderveld 1994), clip limit 4.0, 8×8 tiles.
    opening: grayscale morphological opening, 2×2. equalize: global histogram equalisation.
    The resize stretches to a square (the aspect ratio tells sources apart, so it is not kept as padding): an
    axis that shrinks by area averaging, an axis that grows by linear interpolation.
    """
    result = gray
    for operation in profile.operations:
        result = _apply(result, operation)
    result = resize_square(result, profile.size)
    return result.copy() if result is gray else result


def resize_square(gray: np.ndarray, size: int) -> np.ndarray:
    """uint8 (H, W) → uint8 (size, size): area averaging where an axis shrinks, linear where it grows."""
    height, width = gray.shape
    if height > size or width > size:
        gray = cv2.resize(gray, (min(width, size), min(height, size)), interpolation=cv2.INTER_AREA)
    if gray.shape != (size, size):
        gray = cv2.resize(gray, (size, size), interpolation=cv2.INTER_LINEAR)
    return gray


def _apply(gray: np.ndarray, operation: Operation) -> np.ndarray:
    if operation == "clahe":
        # One object a call: OpenCV's keeps state and is not safe to share between threads.
        return cv2.createCLAHE(clipLimit=CLAHE_CLIP, tileGridSize=CLAHE_TILES).apply(gray)
    if operation == "opening":
        return cv2.morphologyEx(gray, cv2.MORPH_OPEN, OPENING_KERNEL)
    return cv2.equalizeHist(gray)
