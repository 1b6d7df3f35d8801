"""The answer drawn on the picture: lungs tinted and outlined, the class and its probability in a caption."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.data.masks.lung_geometry import split_sides
from pipeline.engine.arrays import Array
from pipeline.inference.pictures import write_caption

# BGR, from the palette of Okabe & Ito 2008: blue and orange are told apart by colour-blind readers.
RIGHT_COLOUR, LEFT_COLOUR = (178, 114, 0), (0, 159, 230)
TINT = 0.25
# Along the lower edge, where a chest X-ray shows the abdomen.
CAPTION_SHARE = 0.05


def draw_overlay(gray: Array, lung_mask: Array, text: str = "") -> Array:
    """uint8 (H, W), its lungs bool (H, W) and a caption, where there is one → uint8 (H, W, 3) BGR at the same size.

    The patient's right lung is blue, the left one orange; the outline runs along the mask's edge.
    """
    picture = cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)
    thickness = max(1, round(min(gray.shape) / 256))
    for lung, colour in zip(split_sides(lung_mask), (RIGHT_COLOUR, LEFT_COLOUR), strict=True):
        tinted = (1 - TINT) * picture[lung] + TINT * np.array(colour)
        picture[lung] = np.rint(tinted).astype(np.uint8)
        outlines, _ = cv2.findContours(lung.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, outlines, -1, colour, thickness, cv2.LINE_8)
    if text:
        write_caption(picture, text, CAPTION_SHARE, dimming=4, thickness_at_1=1.5)
    return picture


def mask_picture(lung_mask: Array) -> Array:
    """bool (H, W) as uint8 (H, W) of 0 and 255."""
    return np.where(lung_mask, np.uint8(255), np.uint8(0))
