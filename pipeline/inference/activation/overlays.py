"""A heat map laid over its picture, at the picture's own size."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.engine.arrays import Array

OPACITY = 0.45
FONT = cv2.FONT_HERSHEY_SIMPLEX
CAPTION_SHARE, SMALLEST_CAPTION_PX = 0.045, 9
# Height of a capital letter at scale 1.
FONT_HEIGHT_PX = 22


def draw_activation(gray: Array, activation: Array, text: str = "") -> Array:
    """uint8 (H, W) and a map (H, W) in [0, 1] → uint8 (H, W, 3) BGR of the same size.

    The map's colour (inferno, which rises evenly in lightness and suits colour-blind readers) covers the picture as far
    as the map is strong, so that a place without evidence shows the scan as it is. text: a line along the top edge;
    OpenCV's letters are ASCII, so others become question marks.
    """
    colours = cv2.applyColorMap(np.rint(np.clip(activation, 0, 1) * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    strength = (OPACITY * np.sqrt(np.clip(activation, 0, 1)))[..., None]
    scan = cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)
    picture: Array = np.rint((1 - strength) * scan + strength * colours).astype(np.uint8)
    if text:
        _write_line(picture, text.encode("ascii", "replace").decode("ascii"))
    return picture


def _write_line(picture: Array, text: str) -> None:
    """Light letters on a dimmed bar along the top edge, as large as the width allows; the scan shows through the bar."""
    height, width = picture.shape[:2]
    (at_scale_1, _), _ = cv2.getTextSize(text, FONT, 1.0, 1)
    wanted = max(SMALLEST_CAPTION_PX, CAPTION_SHARE * height)
    margin = max(2, round(wanted / 3))
    scale = min(wanted / FONT_HEIGHT_PX, max(1, width - 2 * margin) / at_scale_1)
    (_, letters), below = cv2.getTextSize(text, FONT, scale, 1)
    bar = min(height, letters + below + 2 * margin)
    picture[:bar] = picture[:bar] // 3
    cv2.putText(picture, text, (margin, margin + letters), FONT, scale, (255, 255, 255), 1, cv2.LINE_AA)
