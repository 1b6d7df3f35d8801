"""Masks and label maps from files: the values that are stored, where a scan would be stretched, or refused as flat."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data.reading.assumptions import Notes
from pipeline.data.reading.file_integrity import BROKEN_REMEDY
from pipeline.data.reading.raster_decoders import raster_kind, stored_picture
from pipeline.data.reading.raster_files.gray_levels import to_labels
from pipeline.data.reading.scan_reader import broken_files_named, decode_unchecked, file_bytes
from pipeline.engine.errors import DataError


@dataclass(frozen=True, slots=True)
class StoredLabels:
    """`values`: (H, W) of the file's own integer or floating type, or RGB (H, W, 3). `container`: PNG, JPEG, TIFF, BMP, DICOM."""

    values: np.ndarray
    container: str


def read_labels(path: Path | str) -> StoredLabels:
    """A mask's values as they are stored, of any size and however few: 0/1, 0/255, label numbers, colours.

    Palettes are resolved, one bit is 0 and 255, orientation is applied, alpha composited over black; nothing is
    stretched. A DICOM object gives the gray of a scan. Raises DataError as `read_scan` does, flat pictures and small ones
    aside.
    """
    name, data = str(path), file_bytes(path)
    if not data:
        raise DataError(f"{name}: empty file (zero bytes).", BROKEN_REMEDY)
    kind = raster_kind(data)
    if kind is None:
        scan = decode_unchecked(data, name, with_colour=True)
        return StoredLabels(scan.gray if scan.colour is None else scan.colour, scan.header.container)
    with broken_files_named(name):
        notes = Notes(name)
        return StoredLabels(to_labels(stored_picture(data, kind, notes), notes), kind)
