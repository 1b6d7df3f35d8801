"""Pictures that answers are drawn on: a line of words in them, and their files."""

from __future__ import annotations

from pathlib import Path

import cv2

from pipeline.engine.arrays import Array
from pipeline.engine.files import atomic_write_bytes

FONT = cv2.FONT_HERSHEY_SIMPLEX
SMALLEST_CAPTION_PX = 9
# Height of a capital letter at scale 1.
FONT_HEIGHT_PX = 22
SMALLEST_SCALE = 0.02


def write_caption(
    picture: Array, text: str, share: float, dimming: int, on_top: bool = False, thickness_at_1: float = 0.0
) -> None:
    """Light letters on a dimmed bar along the lower or the upper edge of uint8 (H, W, 3), as large as the width allows.

    share: of the height that letters take where there is room. dimming: what the bar's gray levels are divided by; the scan
    shows through. thickness_at_1: of the letters at scale 1, px; one pixel at least. OpenCV's letters are ASCII, so others
    become question marks.
    """
    text, (height, width) = text.encode("ascii", "replace").decode("ascii"), picture.shape[:2]
    wanted = max(SMALLEST_CAPTION_PX, share * height)
    (at_scale_1, _), _ = cv2.getTextSize(text, FONT, 1.0, 1)
    margin = max(2, round(wanted / 3))
    scale = min(wanted / FONT_HEIGHT_PX, max(1, width - 2 * margin) / at_scale_1)
    thickness = max(1, round(thickness_at_1 * scale))
    # Thick letters are wider than the thin ones that were measured.
    while thickness_at_1 and scale > SMALLEST_SCALE and _width(text, scale, thickness) > width - 2 * margin:
        scale *= 0.95
        thickness = max(1, round(thickness_at_1 * scale))
    (_, letters), below = cv2.getTextSize(text, FONT, scale, thickness)
    bar = min(height, letters + below + 2 * margin)
    dimmed = slice(0, bar) if on_top else slice(height - bar, height)
    picture[dimmed] = picture[dimmed] // dimming
    base = margin + letters if on_top else height - margin - below
    cv2.putText(picture, text, (margin, base), FONT, scale, (255, 255, 255), thickness, cv2.LINE_AA)


def _width(text: str, scale: float, thickness: int) -> int:
    (width, _), _ = cv2.getTextSize(text, FONT, scale, thickness)
    return width


def write_png(path: Path, picture: Array) -> None:
    """Write uint8 (H, W) or BGR (H, W, 3) as PNG, its folders made, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _, encoded = cv2.imencode(".png", picture)
    atomic_write_bytes(path, encoded.tobytes())
