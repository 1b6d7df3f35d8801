"""Scan files to 8-bit gray: the view of `read_scan` for who needs the pixels alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from pipeline.data.reading.scan_reader import decode_scan, read_scan
from pipeline.engine.errors import DataError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".dicom"})


def read_gray(path: Path | str) -> np.ndarray:
    """One scan as uint8 (H, W), 0 black … 255 white, as `read_scan` reads it; raises DataError as it does."""
    return read_scan(path, with_colour=False).gray


def decode_gray(data: bytes, name: str) -> np.ndarray:
    """`read_gray` for bytes that are in memory (an upload); `name` is what errors call them."""
    return decode_scan(data, name, with_colour=False).gray


def read_in_order(paths: Iterable[Path], workers: int = 2) -> Iterator[np.ndarray | DataError]:
    """`read_gray` over many files in their order, in the processes of the shared pool (`DecoderPool.read_in_order`).

    A file that cannot be read, or over which its decoder crashes, is yielded as its DataError, so that a caller names,
    skips and counts it. Memory does not grow with the number of files.
    """
    from pipeline.data.reading.decoder_pool import shared_pool

    for found in shared_pool(workers).read_in_order(paths, with_colour=False, workers=workers):
        yield found if isinstance(found, DataError) else found.gray
