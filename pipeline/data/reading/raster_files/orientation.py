"""Which way up a picture is: tag 274 (Orientation) of EXIF and TIFF, the same in every container."""

from __future__ import annotations

import struct

import numpy as np

from pipeline.data.reading.assumptions import Notes

UPRIGHT = 1
_ORIENTATION, _SHORT, _LONG = 274, 3, 4
_MAXIMUM_ENTRIES = 512
_WORDS = {
    2: "mirrored", 3: "turned by 180°", 4: "mirrored upside down", 5: "mirrored and turned by 270° clockwise",
    6: "turned by 90° clockwise", 7: "mirrored and turned by 90° clockwise", 8: "turned by 270° clockwise",
}  # fmt: skip


def exif_orientation(block: bytes, notes: Notes) -> int:
    """The orientation that an EXIF block tells (a TIFF structure, with or without `Exif\\0\\0` before it), else 1.

    A block that cannot be followed, and a value outside 1 … 8, are said and taken as upright.
    """
    block = block.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    try:
        if order is None:
            raise struct.error
        first = struct.unpack_from(order + "I", block, 4)[0]
        entries = struct.unpack_from(order + "H", block, first)[0]
        for number in range(min(entries, _MAXIMUM_ENTRIES)):
            tag, kind, count = struct.unpack_from(order + "HHI", block, first + 2 + 12 * number)
            if tag == _ORIENTATION and count == 1 and kind in (_SHORT, _LONG):
                place = first + 10 + 12 * number
                return legal_orientation(struct.unpack_from(order + ("H" if kind == _SHORT else "I"), block, place)[0], notes)
    except struct.error:
        notes.add("orientation", "The file's EXIF block is damaged: the picture is taken as upright.")
    return UPRIGHT


def legal_orientation(value: int, notes: Notes) -> int:
    """1 … 8 as it is; anything else is upright, and said."""
    if value in _WORDS or value == UPRIGHT:
        return value
    if value:
        notes.add("orientation", f"The file tells an orientation of {value}, which there is not: taken as upright.")
    return UPRIGHT


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """(H, W) or (H, W, 3) as stored → as a viewer shows it (EXIF 2.32, 4.6.4 A); a copy in rows where it is turned."""
    if orientation == UPRIGHT:
        return pixels
    if orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def say_turned(orientation: int, notes: Notes) -> None:
    """What was done about the orientation: not a warning, every viewer does the same."""
    if orientation != UPRIGHT:
        notes.add("orientation", f"The file tells that its picture is {_WORDS[orientation]}: applied.", False)
