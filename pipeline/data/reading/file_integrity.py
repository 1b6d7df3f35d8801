"""What is asked of the picture of every format: neither huge nor tiny, and that something shows on it."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.engine.errors import DataError

MAXIMUM_PIXELS = 1 << 27
MINIMUM_SIDE = 16
# A picture whose 0.5th and 99.5th percentile lie nearer than this many of 256 gray levels shows nothing.
LEAST_SPREAD = 8
BROKEN_REMEDY = "Fetch or export the file again, or leave it out."
FLAT_REMEDY = "Check how it was exported, or leave it out."


def truncated(name: str, kind: str) -> DataError:
    """The error for a file that ends too early."""
    return DataError(f"{name}: truncated {kind}.", BROKEN_REMEDY)


def refuse_huge(name: str, width: int, height: int) -> None:
    """Raises DataError for more than 2²⁷ pixels: no scan, and decoding it could exhaust the memory."""
    if width * height > MAXIMUM_PIXELS:
        raise DataError(
            f"{name}: {width}x{height} pixels, at most {MAXIMUM_PIXELS:,} are read.", "Scale it down first."
        )


def refuse_small(gray: np.ndarray, name: str) -> None:
    """Raises DataError where a side of a picture (H, W) is below 16 px."""
    height, width = gray.shape
    if min(height, width) < MINIMUM_SIDE:
        raise DataError(
            f"{name}: {width}x{height} pixels, at least {MINIMUM_SIDE} a side are needed.",
            "Use the full scan, not a thumbnail.",
        )


def refuse_flat(gray: np.ndarray, name: str) -> None:
    """Raises DataError where a picture, uint8 (H, W), is black, white or gray all over: from its 0.5th to its 99.5th
    percentile it spans fewer than 8 of 256 levels."""
    # Of a sixteenth of the pixels 8 % are 0.5 % of all: what spans enough there spans enough.
    if _spread(gray[::4, ::4], 0.08)[1] >= LEAST_SPREAD:
        return
    low, span = _spread(gray, 0.005)
    if span < LEAST_SPREAD:
        raise flat_picture(name, f"gray levels {low} to {low + span} of 255")


def _spread(gray: np.ndarray, share: float) -> tuple[int, int]:
    """The gray level below which at most `share` of the pixels lie, and how far from it that is above which they do."""
    counts = cv2.calcHist([np.ascontiguousarray(gray)], [0], None, [256], [0, 256])
    shares = counts.ravel().cumsum(dtype=np.float64) / gray.size
    low, high = np.searchsorted(shares, (share, 1 - share))
    return int(low), int(high - low)


def flat_picture(name: str, finding: str) -> DataError:
    """The error for a picture with nothing on it."""
    return DataError(f"{name}: a flat picture ({finding}), nothing shows on it.", FLAT_REMEDY)
