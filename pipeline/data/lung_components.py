"""Which pieces of an outlined region can be lungs."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import ndimage

LungPieces = Literal["all", "two_largest"]
SMALLEST_SHARE = 0.1


def lung_pieces(mask: np.ndarray, kept: LungPieces) -> np.ndarray:
    """``(H, W)`` bool → ``(H, W)`` bool: the mask as it is, or its two largest pieces with their holes filled.

    Pieces touch by their edges. Of ``two_largest`` the second counts from a tenth of the first's area on, so that a
    speck does not become a lung where both lungs are outlined as one piece or only one is there.
    """
    mask = np.asarray(mask, bool)
    if kept == "all":
        return mask
    labels, count = ndimage.label(mask)
    if count == 0:
        return mask
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    # Among equal areas the first in reading order, on every platform.
    largest = np.argsort(-areas, kind="stable")[:2]
    lungs = [piece + 1 for piece in largest if areas[piece] >= SMALLEST_SHARE * areas[largest[0]]]
    return ndimage.binary_fill_holes(np.isin(labels, lungs))
