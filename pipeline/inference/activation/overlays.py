"""A heat map laid over its picture, at the picture's own size."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.engine.arrays import Array
from pipeline.inference.pictures import write_caption

METHODS = {"gradcam": "Grad-CAM", "gradcam_plus_plus": "Grad-CAM++"}
OPACITY = 0.45
CAPTION_SHARE = 0.045


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
        write_caption(picture, text, CAPTION_SHARE, dimming=3, on_top=True)
    return picture
