"""The run lengths of BMP (BI_RLE8, BI_RLE4)."""

from __future__ import annotations

import numpy as np

from pipeline.data.reading.file_integrity import BROKEN_REMEDY, truncated
from pipeline.engine.errors import DataError

_END_OF_LINE, _END, _DELTA = 0, 1, 2


def unpacked_runs(runs: bytes, width: int, height: int, bits: int, name: str) -> np.ndarray:
    """Palette indices uint8 (height, width), the lowest row first as stored.

    Raises DataError: cut off, beyond the picture, or pixels that no run tells (a decoder shows them as colour 0).
    """
    picture = np.zeros((height, width), np.uint8)
    told = position = row = column = 0
    while True:
        if position + 2 > len(runs):
            raise truncated(name, "BMP")
        count, value = runs[position], runs[position + 1]
        position += 2
        if count:
            levels = _levels(bytes([value]) * (count if bits == 8 else (count + 1) // 2), bits)[:count]
        elif value == _END:
            break
        elif value == _END_OF_LINE:
            row, column = row + 1, 0
            continue
        elif value == _DELTA:
            raise _untold(name, "skips pixels")
        else:
            size = value if bits == 8 else (value + 1) // 2
            levels = _levels(runs[position : position + size], bits)[:value]
            if len(levels) < value:
                raise truncated(name, "BMP")
            position += size + size % 2
        if row >= height or column + len(levels) > width:
            raise DataError(f"{name}: corrupt BMP (a run beyond the picture).", BROKEN_REMEDY)
        picture[row, column : column + len(levels)] = levels
        column, told = column + len(levels), told + len(levels)
    if told < picture.size:
        raise _untold(name, f"tells {told} of {picture.size} pixels")
    return picture


def _levels(content: bytes, bits: int) -> np.ndarray:
    stored = np.frombuffer(content, np.uint8)
    return stored if bits == 8 else np.column_stack([stored >> 4, stored & 15]).ravel()


def _untold(name: str, finding: str) -> DataError:
    return DataError(f"{name}: BMP whose run lengths leave pixels out ({finding}).", "Save it as PNG.")
