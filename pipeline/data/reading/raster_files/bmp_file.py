"""BMP of every header (OS/2 1 and 2, Windows 3 to 5), decoded here: the format is a table of rows."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from pipeline.data.reading.assumptions import Notes
from pipeline.data.reading.file_integrity import BROKEN_REMEDY, refuse_huge, truncated
from pipeline.data.reading.raster_files.bmp_runs import unpacked_runs
from pipeline.data.reading.raster_files.stored_picture import StoredPicture, refused, through_palette
from pipeline.engine.errors import DataError

PLAIN, RUNS_OF_8, RUNS_OF_4, FIELDS, ALPHA_FIELDS = 0, 1, 2, 3, 6
_CORE, _OS2, _WINDOWS = 12, (16, 64), (40, 52, 56, 108, 124)
_DEPTHS = {
    PLAIN: (1, 4, 8, 16, 24, 32), RUNS_OF_8: (8,), RUNS_OF_4: (4,), FIELDS: (16, 32), ALPHA_FIELDS: (16, 32),
}  # fmt: skip
_FIVE_BITS = (0x7C00, 0x03E0, 0x001F, 0)
_EIGHT_BITS = (0xFF0000, 0x00FF00, 0x0000FF, 0)


@dataclass(frozen=True, slots=True)
class _Header:
    """`height` is positive; `top_down` tells the order of rows. `fields`: the bits of red, green, blue and alpha."""

    size: int
    width: int
    height: int
    top_down: bool
    bits: int
    compression: int
    colours: int
    pixels_at: int
    fields: tuple[int, ...]
    table_at: int


def decode_bmp(data: bytes, notes: Notes) -> StoredPicture:
    """A BMP's bytes → its picture: 1, 4, 8, 16, 24 and 32 bits, bit fields, run lengths, either order of rows.

    The fourth byte of plain 32 bits is reserved, not alpha. Raises DataError for kinds that there are not, embedded JPEG
    and PNG, files that are cut off and run lengths that leave pixels untold.
    """
    header = _header(data, notes.name)
    if header.bits <= 8:
        indices = _indices(data, header, notes.name)
        picture = StoredPicture(through_palette(indices, _palette(data, header), notes.name, "BMP"), 255)
    elif header.bits == 24:
        rows = _rows(data, header, notes.name).reshape(header.height, -1, 3)
        picture = StoredPicture(np.ascontiguousarray(rows[:, :, ::-1]), 255)
    else:
        words = _rows(data, header, notes.name).view("<u2" if header.bits == 16 else "<u4").astype(np.uint32)
        fields = [_field(words, mask, notes.name) for mask in header.fields]
        picture = StoredPicture(np.dstack(fields[:3]), 255, fields[3] if header.fields[3] else None)
    channels = 1 if picture.samples.ndim == 2 else 3
    return picture.checked(notes.name, "BMP", header.height, header.width, channels)


def _header(data: bytes, name: str) -> _Header:
    if len(data) < 26:
        raise truncated(name, "BMP")
    pixels_at, size = struct.unpack_from("<II", data, 10)
    if size not in (_CORE, *_OS2, *_WINDOWS):
        raise refused(name, "BMP", f"with a header of {size} bytes")
    if len(data) < 14 + size:
        raise truncated(name, "BMP")
    compression = colours = 0
    if size == _CORE:
        width, height, planes, bits = struct.unpack_from("<HHHH", data, 18)
    else:
        width, height, planes, bits = struct.unpack_from("<iiHH", data, 18)
        if size >= 40:
            compression, colours = struct.unpack_from("<I12xI", data, 30)
    told = f"with compression {compression} at {bits} bits"
    if compression not in _DEPTHS or bits not in _DEPTHS[compression] or (size in _OS2 and compression > RUNS_OF_4):
        raise refused(name, "BMP", told)
    refuse_huge(name, abs(width), abs(height))
    if width <= 0 or height == 0 or planes != 1 or (height < 0 and compression in (RUNS_OF_8, RUNS_OF_4)):
        raise DataError(f"{name}: corrupt BMP (no such picture: {width}x{height}, {planes} planes, {told}).", BROKEN_REMEDY)
    fields, table_at = _FIVE_BITS if bits == 16 else _EIGHT_BITS, 14 + size
    if compression in (FIELDS, ALPHA_FIELDS):
        told_fields = 4 if compression == ALPHA_FIELDS or size >= 56 else 3
        if len(data) < 54 + 4 * told_fields:
            raise truncated(name, "BMP")
        fields = (*struct.unpack_from(f"<{told_fields}I", data, 54), 0)[:4]
        table_at = max(table_at, 54 + 4 * told_fields)
    if pixels_at < table_at:
        raise DataError(f"{name}: corrupt BMP (its pixels lie in its header).", BROKEN_REMEDY)
    return _Header(size, width, abs(height), height < 0, bits, compression, colours, pixels_at, fields, table_at)


def _rows(data: bytes, header: _Header, name: str) -> np.ndarray:
    """uint8 (H, bytes of a row without its padding), the upper row first."""
    used = (header.width * header.bits + 7) // 8
    whole = (header.width * header.bits + 31) // 32 * 4
    if header.pixels_at + whole * header.height > len(data):
        raise truncated(name, "BMP")
    rows = np.frombuffer(data, np.uint8, whole * header.height, header.pixels_at).reshape(header.height, whole)[:, :used]
    return np.ascontiguousarray(rows if header.top_down else rows[::-1])


def _indices(data: bytes, header: _Header, name: str) -> np.ndarray:
    if header.compression != PLAIN:
        runs = data[header.pixels_at :]
        return unpacked_runs(runs, header.width, header.height, header.bits, name)[::-1]
    rows = _rows(data, header, name)
    if header.bits == 8:
        return rows
    shifts = np.arange(8 - header.bits, -1, -header.bits, dtype=np.uint8)
    levels = (rows[..., None] >> shifts) & np.uint8((1 << header.bits) - 1)
    return levels.reshape(header.height, -1)[:, : header.width]


def _palette(data: bytes, header: _Header) -> np.ndarray:
    """RGB uint8 (N, 3) of the table between the header and the pixels."""
    entry = 3 if header.size == _CORE else 4
    count = min(header.colours or 1 << header.bits, 1 << header.bits, (header.pixels_at - header.table_at) // entry)
    stored = np.frombuffer(data, np.uint8)[header.table_at : header.table_at + entry * count]
    return stored[: stored.size // entry * entry].reshape(-1, entry)[:, 2::-1]


def _field(words: np.ndarray, mask: int, name: str) -> np.ndarray:
    """uint8 (H, W) of the bits of one colour, spread over 0 … 255."""
    if not mask:
        return np.zeros(words.shape, np.uint8)
    shift = (mask & -mask).bit_length() - 1
    top = mask >> shift
    if top & (top + 1):
        raise refused(name, "BMP", f"with scattered bits of a colour ({mask:#x})")
    return np.rint(((words & np.uint32(mask)) >> np.uint32(shift)) * (255.0 / top)).astype(np.uint8)
