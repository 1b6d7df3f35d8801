"""Scan files to 8-bit gray: the view of `read_scan` for who needs the pixels alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from pipeline.data.reading.scan_reader import decode_scan, read_scan
from pipeline.engine.errors import DataError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".dicom"})

_READ_AHEAD = 16


def read_gray(path: Path | str) -> np.ndarray:
    """One scan as uint8 (H, W), 0 black … 255 white, as `read_scan` reads it; raises DataError as it does."""
    return read_scan(path, with_colour=False).gray


def decode_gray(data: bytes, name: str) -> np.ndarray:
    """`read_gray` for bytes that are in memory (an upload); `name` is what errors call them."""
    return decode_scan(data, name, with_colour=False).gray


def read_in_order(paths: Iterable[Path], workers: int = 2) -> Iterator[np.ndarray | DataError]:
    """`read_gray` over many files in their order, `workers` threads reading ahead by a bounded number of
    files.

    A file that cannot be read is yielded as its DataError, so that a caller names, skips and counts it.
    Memory does not grow with the number of files.
    """
    with ThreadPoolExecutor(max(1, workers)) as pool:
        pending: deque[Future[np.ndarray | DataError]] = deque()
        for path in paths:
            pending.append(pool.submit(_read_or_error, path))
            if len(pending) > _READ_AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _read_or_error(path: Path) -> np.ndarray | DataError:
    try:
        return read_gray(path)
    except DataError as error:
        return error
