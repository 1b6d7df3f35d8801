"""The answer drawn on the picture: lungs tinted and outlined, the class and its probability in a caption."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from pipeline.engine.arrays import Array
from pipeline.engine.files import atomic_write_bytes
from pipeline.inference.segmenter.lung_geometry import split_sides

# BGR, from the palette of Okabe & Ito 2008: blue and orange are told apart by colour-blind readers.
RIGHT_COLOUR, LEFT_COLOUR = (178, 114, 0), (0, 159, 230)
TINT = 0.25
FONT = cv2.FONT_HERSHEY_SIMPLEX
CAPTION_SHARE, SMALLEST_CAPTION_PX = 0.05, 9
# Height of a capital letter at scale 1.
FONT_HEIGHT_PX = 22
SMALLEST_SCALE = 0.02


def draw_overlay(gray: Array, lung_mask: Array, text: str) -> Array:
    """uint8 (H, W), its lungs bool (H, W) and a caption → uint8 (H, W, 3) BGR at the same size.

    The patient's right lung is blue, the left one orange; the outline runs along the mask's edge. OpenCV's letters are ASCII,
    so others become question marks.
    """
    picture = cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)
    thickness = max(1, round(min(gray.shape) / 256))
    for lung, colour in zip(split_sides(lung_mask), (RIGHT_COLOUR, LEFT_COLOUR), strict=True):
        tinted = (1 - TINT) * picture[lung] + TINT * np.array(colour)
        picture[lung] = np.rint(tinted).astype(np.uint8)
        outlines, _ = cv2.findContours(lung.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, outlines, -1, colour, thickness, cv2.LINE_8)
    _write_caption(picture, text.encode("ascii", "replace").decode("ascii"))
    return picture


def mask_picture(lung_mask: Array) -> Array:
    """bool (H, W) as uint8 (H, W) of 0 and 255."""
    return np.where(lung_mask, np.uint8(255), np.uint8(0))


def _write_caption(picture: Array, text: str) -> None:
    """Light letters on a dark bar along the lower edge, where a chest X-ray shows the abdomen, as large as fits."""
    height, width = picture.shape[:2]
    wanted = max(SMALLEST_CAPTION_PX, CAPTION_SHARE * height)
    (at_scale_1, _), _ = cv2.getTextSize(text, FONT, 1.0, 1)
    margin = max(2, round(wanted / 3))
    scale = min(wanted / FONT_HEIGHT_PX, max(1, width - 2 * margin) / at_scale_1)
    # Thick letters are wider than thin ones of the same scale.
    while scale > SMALLEST_SCALE and cv2.getTextSize(text, FONT, scale, _thickness(scale))[0][0] > width - 2 * margin:
        scale *= 0.95
    thickness = _thickness(scale)
    (_, letters), below = cv2.getTextSize(text, FONT, scale, thickness)
    bar = min(height, letters + below + 2 * margin)
    picture[height - bar :] = picture[height - bar :] // 4
    cv2.putText(picture, text, (margin, height - margin - below), FONT, scale, (255, 255, 255), thickness, cv2.LINE_AA)


def _thickness(scale: float) -> int:
    return max(1, round(1.5 * scale))


def write_png(path: Path, picture: Array) -> None:
    """Write uint8 (H, W) or BGR (H, W, 3) as PNG, its folders made, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _, encoded = cv2.imencode(".png", picture)
    atomic_write_bytes(path, encoded.tobytes())
