"""Pixels in memory as a scan: one checked door for arrays, and the gray that a file of the same pixels gives."""

from __future__ import annotations

import numpy as np

from pipeline.data.reading.assumptions import Notes, ReadScan, ScanHeader
from pipeline.data.reading.file_integrity import refuse_flat, refuse_huge, refuse_small
from pipeline.data.reading.raster_files.gray_levels import to_colour, to_gray
from pipeline.data.reading.raster_files.stored_picture import StoredPicture
from pipeline.engine.arrays import Array
from pipeline.engine.errors import DataError, UsageError

# The highest value of each depth that is read.
TOPS = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}
# A floating picture whose brightest value lies below this may have been divided by more than its depth.
DARK = 0.25
# So little beyond 0 or 1 is left by an interpolation.
NEAR = 0.1
NAME = "The array"
READ = "Arrays are read as uint8, uint16, or floats from 0 (black) to 1 (white); (H, W), (H, W, 1), or RGB (H, W, 3)."


def require_picture(array: Array) -> None:
    """Raise UsageError where the array is not one picture of a known depth: see `read_array`. Its values are not looked at,
    but to say how a refused depth can be mended."""
    _require_axes(array)
    if np.ma.is_masked(array):
        raise UsageError(f"{_told(array)}: some of its pixels are masked out.", "Fill them: array.filled(0) makes them black.")
    native = array.dtype.newbyteorder("=")
    if native in TOPS or native.kind == "f":
        return
    if native.kind == "b":
        raise UsageError(f"{_told(array)}: true and false are a mask, not a scan.", READ)
    if native.kind in "iu":
        raise UsageError(f"{_told(array)}: {native.name} does not say which value is white.", _mend_integers(array))
    raise UsageError(f"{_told(array)}: not an array of gray levels.", READ)


def read_array(array: Array, with_colour: bool = False) -> ReadScan:
    """An array as a scan: what `read_scan` gives of a PNG file that holds its pixels.

    array: uint8 or uint16, in any byte order and any strides, or floats in [0, 1], which are rounded to 8 bits (so that
    uint8 / 255 in half, single or double precision gives the uint8 again); gray (H, W) or (H, W, 1), or RGB (H, W, 3). It is
    copied, never written to. uint16 is shown between its 0.5th and 99.5th percentiles, as a file of 16 bits is, and that is
    said. with_colour: keep the colour, too, where there is any.

    Raises UsageError for an array of other numbers or axes (`require_picture`), DataError for values that are not finite or
    outside [0, 1], a picture that is too small, too large or flat.
    """
    require_picture(array)
    height, width = array.shape[:2]
    refuse_huge(NAME, width, height)
    notes = Notes(NAME)
    pixels = np.array(array, dtype=array.dtype.newbyteorder("="), order="C", subok=False)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.dtype.kind == "f":
        pixels = _eight_bits(pixels, notes)
    top = TOPS[pixels.dtype]
    picture = StoredPicture(np.ascontiguousarray(pixels), top)
    refuse_small(picture.samples[..., 0] if pixels.ndim == 3 else picture.samples, NAME)
    gray = to_gray(picture, notes)
    refuse_flat(gray, NAME)
    header = ScanHeader("pixels", photometric="RGB" if pixels.ndim == 3 else "", bits_stored=top.bit_length())
    return ReadScan(gray, to_colour(picture) if with_colour else None, notes.all(), header)


def _require_axes(array: Array) -> None:
    shape, fault = array.shape, ""
    if array.ndim < 2:
        fault, mend = "one dimension" if array.ndim else "a single value", READ
    elif 0 in shape:
        fault, mend = "empty", READ
    elif array.ndim > 3:
        fault, mend = "a batch, where one scan is asked", "Ask one by one: [bundle.answer(scan) for scan in batch]."
    elif array.ndim == 3 and shape[2] not in (1, 3):
        fault, mend = _third_axis(shape)
    if fault:
        raise UsageError(f"{_told(array)}: {fault}.", mend)


def _third_axis(shape: tuple[int, ...]) -> tuple[str, str]:
    """Why three axes are no picture, and how to mend it."""
    if shape[2] in (2, 4):
        return "an alpha channel", "Leave it out: array[..., :3] of RGBA, array[..., 0] of gray with alpha."
    if shape[0] == 1:
        return "a batch of one, or its channel first", "Give array[0]."
    if shape[0] in (3, 4):
        return "its channels first, or a batch", "Give np.moveaxis(array, 0, -1)[..., :3] of colour, array[i] of a batch."
    return "a batch or a volume, where one scan is asked", "Ask about its pictures one by one."


def _mend_integers(array: Array) -> str:
    low, high = int(array.min()), int(array.max())
    found = f"It holds {low} to {high}"
    if low < 0:
        return f"{found}: scale it to floats from 0 (black) to 1 (white); of CT values give the DICOM or NIfTI file."
    if high <= 255:
        return f"{found}: give array.astype(np.uint8) of 8 bits, array.astype(np.uint16) of more."
    if high <= 65535:
        return f"{found}: give array.astype(np.uint16)."
    return f"{found}, beyond 16 bits: scale it to floats from 0 (black) to 1 (white)."


def _eight_bits(pixels: Array, notes: Notes) -> Array:
    """Floats in [0, 1] → uint8. Raises DataError: not finite, outside."""
    if not np.isfinite(pixels).all():
        raise DataError(f"{NAME}: holds values that are not finite.", "Replace NaN and infinity first.")
    low, high = float(pixels.min()), float(pixels.max())
    if low < 0 or high > 1:
        found = f"{NAME}: floats from {low} to {high}, where 0 (black) to 1 (white) are read."
        raise DataError(found, _mend_floats(low, high))
    if high < DARK:
        notes.add("bits", f"Its floats are read with 1 as white, and the brightest is {high:.3g}.")
    return np.rint(pixels * pixels.dtype.type(255)).astype(np.uint8)


def _mend_floats(low: float, high: float) -> str:
    if low >= -NEAR and high <= 1 + NEAR:
        return "Clip what was computed beyond the ends: np.clip(array, 0, 1)."
    if low < 0:
        return "Scale them to floats from 0 to 1; of CT values give the DICOM or NIfTI file."
    return f"Divide them by the value that is white: {255 if high <= 255 else 65535} of {8 if high <= 255 else 16} bits."


def _told(array: Array) -> str:
    return f"{NAME} {array.dtype} {array.shape}"
