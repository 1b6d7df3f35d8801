"""What a lung mask measures: areas of both lungs, and ratios in the manner of the cardiothoracic ratio.

Sides are the patient's: a frontal X-ray shows the right lung on the picture's left. Pixels are taken as square; every
ratio is free of their size. The mediastinal ratio is read off lung masks, which do not outline the heart: it follows
Danzer's cardiothoracic ratio (Am. J. Med. Sci. 1919) and is not a substitute for it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

import cv2
import numpy as np

from pipeline.engine.arrays import Array

# A connected part with at least this share of its pixels on each side of the dividing column is cut there.
STRADDLING_SHARE = 0.2


@dataclass(frozen=True)
class LungGeometry:
    """Measures of one mask; None where a lung that is needed is missing.

    lung_px_right, lung_px_left: pixels of each lung. lung_share_right, lung_share_left: the same as shares of the picture.
    thoracic_width_px: the widest distance, in one row, from the outer edge of one lung to the outer edge of the other.
    mediastinal_thoracic_ratio: the widest gap between the lungs' inner edges in one row, over thoracic_width_px. Only rows
    where both lungs are present and above both diaphragms count; a diaphragm is where a lung ends in the column of its
    centre of mass.
    lung_height_ratio: rows from top to bottom of the right lung over those of the left.
    thorax_width_to_height: thoracic_width_px over the rows from the highest to the lowest lung pixel.
    """

    lung_px_right: int
    lung_px_left: int
    lung_share_right: float
    lung_share_left: float
    thoracic_width_px: int | None
    mediastinal_thoracic_ratio: float | None
    lung_height_ratio: float | None
    thorax_width_to_height: float | None

    def document(self) -> dict[str, int | float | None]:
        return asdict(self)


COLUMNS = tuple(field.name for field in fields(LungGeometry))


def measure_lungs(mask: Array) -> LungGeometry:
    """mask: (H, W) bool."""
    right, left = split_sides(mask)
    pixels = int(right.sum()), int(left.sum())
    shares = pixels[0] / mask.size, pixels[1] / mask.size
    if not all(pixels):
        return LungGeometry(*pixels, *shares, None, None, None, None)
    rows = np.flatnonzero(right.any(axis=1) & left.any(axis=1))
    heights = [_extent(lung.any(axis=1)) for lung in (right, left)]
    width = _thoracic_width(right, left, rows)
    gap = _mediastinal_gap(right, left, rows)
    return LungGeometry(
        *pixels,
        *shares,
        width,
        gap / width if width and gap is not None else None,
        heights[0] / heights[1],
        width / _extent(mask.any(axis=1)) if width else None,
    )


def split_sides(mask: Array) -> tuple[Array, Array]:
    """(H, W) bool → the patient's right lung (picture's left) and left lung, both (H, W) bool, together the mask.

    The dividing column is the emptiest one in the picture's middle third (the most central of equals). Each connected
    part goes, whole, to the side of its centre of mass; one that lies on both sides (lungs that touch) is cut there.
    """
    column = _dividing_column(mask)
    count, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    on_left_of_picture = np.zeros_like(mask)
    on_left_of_picture[:, :column] = True
    right = np.zeros_like(mask)
    for number in range(1, count):
        part = parts == number
        share = float((part & on_left_of_picture).sum() / part.sum())
        if STRADDLING_SHARE <= share <= 1 - STRADDLING_SHARE:
            right |= part & on_left_of_picture
        elif _centre_column(part) < column:
            right |= part
    return right, mask & ~right


def _dividing_column(mask: Array) -> int:
    width = mask.shape[1]
    start, stop = width // 3, max(width // 3 + 1, width - width // 3)
    filled = mask[:, start:stop].sum(axis=0)
    emptiest = start + np.flatnonzero(filled == filled.min())
    return int(emptiest[np.abs(emptiest - (width - 1) / 2).argmin()])


def _centre_column(lung: Array) -> float:
    filled = lung.sum(axis=0)
    return float((filled * np.arange(lung.shape[1])).sum() / filled.sum())


def _extent(present: Array | np.bool) -> int:
    """Length from the first to the last True, both included."""
    found = np.flatnonzero(present)
    return int(found[-1] - found[0] + 1)


def _first_and_last(lung: Array, rows: Array) -> tuple[Array, Array]:
    """Column of the first and the last pixel of each of `rows`."""
    chosen = lung[rows]
    return chosen.argmax(axis=1), chosen.shape[1] - 1 - chosen[:, ::-1].argmax(axis=1)


def _thoracic_width(right: Array, left: Array, rows: Array) -> int | None:
    if not rows.size:
        return None
    outer_right, _ = _first_and_last(right, rows)
    _, outer_left = _first_and_last(left, rows)
    widest = int((outer_left - outer_right + 1).max())
    return widest if widest > 0 else None


def _mediastinal_gap(right: Array, left: Array, rows: Array) -> int | None:
    above = rows[rows <= min(_diaphragm_row(right), _diaphragm_row(left))]
    if not above.size:
        return None
    _, inner_right = _first_and_last(right, above)
    inner_left, _ = _first_and_last(left, above)
    return max(0, int((inner_left - inner_right - 1).max()))


def _diaphragm_row(lung: Array) -> int:
    """Last row of the lung in the column of its centre of mass, or in the nearest column that holds any of it."""
    columns = np.flatnonzero(lung.any(axis=0))
    nearest = columns[np.abs(columns - _centre_column(lung)).argmin()]
    return int(np.flatnonzero(lung[:, nearest])[-1])
