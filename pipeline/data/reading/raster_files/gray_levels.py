"""Stored samples → 8-bit gray and colour: depth, alpha, orientation; each choice said."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.data.reading.assumptions import Notes
from pipeline.data.reading.dicom_chain.presentation import to_bytes
from pipeline.data.reading.file_integrity import BROKEN_REMEDY, flat_picture
from pipeline.data.reading.raster_files.orientation import say_turned, turned
from pipeline.data.reading.raster_files.stored_picture import StoredPicture
from pipeline.engine.errors import DataError

PERCENTILES = (0.5, 99.5)
# Deep pictures whose percentiles lie nearer than this (stored levels; a share of their size for floats) show noise.
LEAST_LEVELS = 8
LEAST_SHARE = 1e-4


def to_gray(picture: StoredPicture, notes: Notes) -> np.ndarray:
    """A picture as uint8 (H, W), as a viewer shows it on black.

    - up to 8 bits: the stored values, spread over 0 … 255; colour by BT.601 luma.
    - deeper and floating: from the 0.5th to the 99.5th percentile, said.
    - alpha: composited over black, said; a picture that is transparent everywhere is refused.

    Raises DataError: nothing but transparency, values that are not finite, deep pictures of one level.
    """
    luma = _luma(_spread(picture.samples, picture.top), notes.name)
    alpha = _shown_alpha(picture, notes)
    if alpha is not None and not picture.premultiplied:
        luma = _over_black(luma, alpha)
    gray = _narrowed(luma, picture.top, notes)
    say_turned(picture.orientation, notes)
    return turned(gray, picture.orientation)


def to_labels(picture: StoredPicture, notes: Notes) -> np.ndarray:
    """The stored values, (H, W) or RGB (H, W, 3), upright and over black; one bit as 0 and 255.

    Raises DataError where alpha hides everything.
    """
    alpha = _shown_alpha(picture, notes)
    values = _spread(picture.samples, picture.top) if picture.top == 1 else picture.samples
    if alpha is not None and not picture.premultiplied:
        values = _over_black(values, alpha if values.ndim == 2 else alpha[..., None])
    return turned(values, picture.orientation)


def to_colour(picture: StoredPicture) -> np.ndarray | None:
    """The same as RGB uint8 (H, W, 3), deeper samples narrowed by their whole range; None for a gray picture."""
    if picture.samples.ndim == 2:
        return None
    colour, top = _spread(picture.samples, picture.top), picture.top
    if picture.alpha is not None and not picture.premultiplied:
        colour = _over_black(colour, picture.alpha[..., None].astype(np.float32) / picture.alpha_top)
    if top is None or top > 255:
        low, high = (0, top) if top is not None else (float(colour.min()), float(colour.max()))
        colour = to_bytes(colour, low, high)
    return turned(colour, picture.orientation)


def _spread(samples: np.ndarray, top: int | None) -> np.ndarray:
    """Samples of up to 8 bits over the whole of uint8; deeper ones as they are."""
    if top is None or top >= 255:
        return samples
    levels = np.rint(np.arange(256) * (255.0 / top)).clip(0, 255).astype(np.uint8)
    return cv2.LUT(np.ascontiguousarray(samples, np.uint8), levels)


def _luma(samples: np.ndarray, name: str) -> np.ndarray:
    if samples.dtype.kind == "f" and not np.isfinite(samples).all():
        raise DataError(f"{name}: holds values that are not finite.", BROKEN_REMEDY)
    if samples.ndim == 2:
        return samples
    if samples.dtype not in (np.uint8, np.uint16):
        samples = samples.astype(np.float32)
    return cv2.cvtColor(np.ascontiguousarray(samples), cv2.COLOR_RGB2GRAY)


def _shown_alpha(picture: StoredPicture, notes: Notes) -> np.ndarray | None:
    """float32 (H, W) in 0 … 1, or None where the picture is opaque. Raises DataError where nothing of it shows."""
    if picture.alpha is None:
        return None
    least, most = picture.alpha.min(), picture.alpha.max()
    if least >= picture.alpha_top:
        return None
    if most == 0:
        raise DataError(
            f"{notes.name}: transparent everywhere (alpha 0), nothing of it shows.", "Save the picture without its alpha channel."
        )
    hidden = np.count_nonzero(picture.alpha == 0) / picture.alpha.size
    notes.add("alpha", f"The picture has an alpha channel: shown over black, {hidden:.1%} of it fully transparent.")
    return picture.alpha.astype(np.float32) / picture.alpha_top


def _over_black(values: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    shown = values.astype(np.float32) * alpha
    return np.rint(shown).astype(values.dtype) if values.dtype.kind in "ui" else shown


def _narrowed(luma: np.ndarray, top: int | None, notes: Notes) -> np.ndarray:
    if top is not None and top <= 255:
        return luma
    low, high = np.percentile(luma.astype(np.float32), PERCENTILES)
    least = LEAST_LEVELS if luma.dtype.kind in "ui" else LEAST_SHARE * max(abs(low), abs(high))
    if high - low < least or high <= low:
        raise flat_picture(notes.name, f"its values lie between {low:g} and {high:g}")
    stored = f"{luma.dtype.itemsize * 8}-bit" if luma.dtype.kind in "ui" else "floating"
    notes.add("bits", f"Its {stored} values are shown from the 0.5th to the 99.5th percentile, {low:g} to {high:g}.")
    return to_bytes(luma, float(low), float(high))
