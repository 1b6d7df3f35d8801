"""The directories of a TIFF (6.0) or BigTIFF, read without a decoder: what the pictures in it are."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.data.reading.file_integrity import truncated
from pipeline.engine.errors import DataError

MAXIMUM_PAGES = 4096
_MAXIMUM_ENTRIES = 4096
# Types of whole numbers: BYTE, SHORT, LONG, LONG8 and the two of directories.
_INTEGERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
_BYTES = {7: "u1", 2: "u1"}
_REDUCED, _MASK = 1, 4
NEW_SUBFILE_TYPE, JPEG_TABLES = 254, 347


@dataclass(frozen=True, slots=True)
class Directory:
    """The whole numbers of one directory by tag, and which directory of the file it is, from 0 on."""

    number: int
    tags: dict[int, np.ndarray]

    def values(self, tag: int, absent: tuple[int, ...] = ()) -> tuple[int, ...]:
        found = self.tags.get(tag)
        return absent if found is None or not found.size else tuple(int(value) for value in found)

    def value(self, tag: int, absent: int) -> int:
        return self.values(tag, (absent,))[0]


def only_picture(data: bytes, name: str) -> tuple[Directory, int]:
    """The directory of the one picture of a file, and how many previews and masks lie beside it.

    Raises DataError: several pictures, none, directories that lead nowhere or in a circle.
    """
    pictures: list[Directory] = []
    count = others = 0
    for directory in _directories(data, name):
        if directory.value(NEW_SUBFILE_TYPE, 0) & (_REDUCED | _MASK):
            others += 1
        else:
            count += 1
            pictures = pictures or [directory]
    if count > 1:
        told = f"{count} pages" if count < MAXIMUM_PAGES else f"{MAXIMUM_PAGES} pages or more"
        raise DataError(f"{name}: TIFF of {told}, one image expected.", "Save the slice that is wanted as its own file.")
    if not pictures:
        raise truncated(name, "TIFF")
    return pictures[0], others


def _directories(data: bytes, name: str) -> Iterator[Directory]:
    """One after another, at most `MAXIMUM_PAGES`."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    count_of, offset_of, entry = (order + "Q", order + "Q", order + "HHQ") if big else (order + "H", order + "I", order + "HHI")
    seen: set[int] = set()
    try:
        position = struct.unpack_from(offset_of, data, 8 if big else 4)[0]
        while position and len(seen) < MAXIMUM_PAGES:
            entries = struct.unpack_from(count_of, data, position)[0]
            if position in seen or entries > _MAXIMUM_ENTRIES:
                raise truncated(name, "TIFF")
            first, size = position + struct.calcsize(count_of), struct.calcsize(entry) + struct.calcsize(offset_of)
            tags: dict[int, np.ndarray] = {}
            for place in range(first, first + entries * size, size):
                tag, kind, count = struct.unpack_from(entry, data, place)
                dtype = _INTEGERS.get(kind) or (_BYTES.get(kind) if tag == JPEG_TABLES else None)
                if dtype is not None:
                    tags[tag] = _values(data, place + struct.calcsize(entry), offset_of, np.dtype(order + dtype), count)
            yield Directory(len(seen), tags)
            seen.add(position)
            position = struct.unpack_from(offset_of, data, first + entries * size)[0]
    except (struct.error, ValueError) as cause:
        raise truncated(name, "TIFF") from cause


def _values(data: bytes, place: int, offset_of: str, dtype: np.dtype, count: int) -> np.ndarray:
    """The values of one entry, at its place or where that leads. Raises ValueError outside of the file."""
    if count * dtype.itemsize > struct.calcsize(offset_of):
        place = struct.unpack_from(offset_of, data, place)[0]
    return np.frombuffer(data, dtype, count, place) if count else np.zeros(0, dtype)
