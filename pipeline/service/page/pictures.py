"""Pictures within the page, as data: nothing is kept here that a browser could come back for."""

from __future__ import annotations

import cv2

from pipeline.engine.arrays import Array
from pipeline.engine.html import png_source
from pipeline.inference.pictures import png_bytes

# A larger picture is shown smaller, and so said; the calls draw it at its own size.
LARGEST_SIDE = 2048
THUMB_SIDE = 72


def shown(picture: Array, side: int = LARGEST_SIDE) -> str:
    """uint8 (H, W) or BGR (H, W, 3), no side longer than `side` px, as the `src` of an <img>."""
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return png_source(png_bytes(picture))


def thumb(picture: Array) -> str:
    """A small one, for a row of a table."""
    return shown(picture, THUMB_SIDE)
