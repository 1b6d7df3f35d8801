"""Which pieces of an outlined region can be lungs."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

LungPieces = Literal["all", "two_largest"]
SMALLEST_SHARE = 0.1
EDGES_TOUCH = 4


def lung_pieces(mask: np.ndarray, kept: LungPieces) -> np.ndarray:
    """``(H, W)`` bool → ``(H, W)`` bool: the mask as it is, or its two largest pieces with their holes filled.

    Pieces touch by their edges. Of ``two_largest`` the second counts from a tenth of the first's area on, so that a
    speck does not become a lung where both lungs are outlined as one piece or only one is there.
    """
    mask = np.asarray(mask, bool)
    if kept == "all":
        return mask
    labels, areas = _pieces(mask)
    # Among equal areas the first in reading order, on every platform.
    largest = np.argsort(-areas, kind="stable")[:2]
    lungs = [piece + 1 for piece in largest if areas[piece] >= SMALLEST_SHARE * areas[largest[0]]]
    return _holes_filled(np.isin(labels, lungs)) if lungs else mask


def _pieces(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The number of each pixel's piece from 1 on, 0 outside; and the area of each piece."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=EDGES_TOUCH)
    return labels, np.bincount(labels.ravel(), minlength=count)[1:]


def _holes_filled(mask: np.ndarray) -> np.ndarray:
    """What is not reached from beyond the picture's edge belongs to the mask."""
    background, _ = _pieces(~np.pad(mask, 1))
    return (background != background[0, 0])[1:-1, 1:-1]
