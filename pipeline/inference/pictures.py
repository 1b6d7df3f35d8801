"""Pictures that answers are drawn on: a line of words in them, and their files."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path

import cv2

from pipeline.engine.arrays import Array
from pipeline.engine.files import atomic_write_bytes

FONT = cv2.FONT_HERSHEY_SIMPLEX
SMALLEST_CAPTION_PX = 9
# Height of a capital letter at scale 1.
FONT_HEIGHT_PX = 22
SMALLEST_SCALE = 0.02
MOST_LINES = 3
# Stands for a blank at which no line ends.
NO_BREAK = "\x1f"
# Of the size that is wanted: below it the words go on to a further line.
SMALLEST_SHARE = 0.75


def write_caption(
    picture: Array, text: str, share: float, dimming: int, on_top: bool = False, thickness_at_1: float = 0.0
) -> None:
    """Light letters on a dimmed bar along the lower or the upper edge of uint8 (H, W, 3), as large as the width allows, on up
    to MOST_LINES lines.

    share: of the height that letters take where there is room. dimming: what the bar's gray levels are divided by; the scan
    shows through. thickness_at_1: of the letters at scale 1, px; one pixel at least. OpenCV's letters are ASCII, so others
    become question marks.
    """
    text, (height, width) = text.encode("ascii", "replace").decode("ascii"), picture.shape[:2]
    wanted = max(SMALLEST_CAPTION_PX, share * height)
    margin = max(2, round(wanted / 3))
    room = max(1, width - 2 * margin)
    lines, scale = _lines_that_fit(text, wanted / FONT_HEIGHT_PX, room)
    thickness = max(1, round(thickness_at_1 * scale))
    # Thick letters are wider than the thin ones that were measured.
    while thickness_at_1 and scale > SMALLEST_SCALE and max(_width(line, scale, thickness) for line in lines) > room:
        scale *= 0.95
        thickness = max(1, round(thickness_at_1 * scale))
    (_, letters), below = cv2.getTextSize(text, FONT, scale, thickness)
    step = letters + below + max(1, margin // 2)
    bar = min(height, letters + below + 2 * margin + (len(lines) - 1) * step)
    dimmed = slice(0, bar) if on_top else slice(height - bar, height)
    picture[dimmed] = picture[dimmed] // dimming
    for row, line in enumerate(lines):
        base = margin + letters + row * step if on_top else height - margin - below - (len(lines) - 1 - row) * step
        cv2.putText(picture, line, (margin, base), FONT, scale, (255, 255, 255), thickness, cv2.LINE_AA)


def _lines_that_fit(text: str, wanted: float, room: int) -> tuple[list[str], float]:
    """The words on one line, on more where one line would make the letters much smaller than wanted; and their scale."""
    found: tuple[list[str], float] = ([text], 0.0)
    for count in range(1, MOST_LINES + 1):
        bound = text.replace(" %", f"{NO_BREAK}%")
        wrapped = textwrap.wrap(bound, max(1, math.ceil(len(text) / count) + count)) or [text]
        lines = [line.replace(NO_BREAK, " ") for line in wrapped]
        scale = min(wanted, room / max(1, *(_width(line, 1.0, 1) for line in lines)))
        if scale > found[1]:
            found = lines, scale
        if found[1] >= SMALLEST_SHARE * wanted:
            break
    return found


def _width(text: str, scale: float, thickness: int) -> int:
    (width, _), _ = cv2.getTextSize(text, FONT, scale, thickness)
    return width


def write_png(path: Path, picture: Array) -> None:
    """Write uint8 (H, W) or BGR (H, W, 3) as PNG, its folders made, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_bytes(path, png_bytes(picture))


def png_bytes(picture: Array) -> bytes:
    """uint8 (H, W) or BGR (H, W, 3) as a PNG."""
    _, encoded = cv2.imencode(".png", picture)
    content: bytes = encoded.tobytes()
    return content
