"""A picture file as gray and, where it has any, colour: for checks that ask whether it is colourful."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from pipeline.data.reading.gray_reader import decode_gray, file_bytes


def read_gray_and_colour(path: Path | str) -> tuple[np.ndarray, np.ndarray | None]:
    """uint8 gray (H, W) as `read_gray` gives it, and uint8 RGB (H, W, 3) or None where the file holds no colour.

    Raises DataError as `read_gray` does.
    """
    data = file_bytes(path)
    return decode_gray(data, str(path)), decode_colour(data)


def decode_colour(data: bytes) -> np.ndarray | None:
    """Bytes that `decode_gray` accepts → RGB uint8 (H, W, 3), composited on black; None for gray files and DICOM.

    EXIF orientation is applied, 16-bit colour is narrowed to 8 bits.
    """
    encoded = np.frombuffer(data, np.uint8)
    try:
        stored = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
        if stored is None or stored.ndim == 2 or stored.shape[2] < 3:
            return None
        # Unchanged leaves EXIF orientation alone, and colour drops alpha: a file has one or the other.
        if stored.shape[2] == 3:
            return cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    except cv2.error:
        return None
    full = np.iinfo(stored.dtype).max if np.issubdtype(stored.dtype, np.integer) else 1.0
    shown = stored[..., 2::-1].astype(np.float32) * (stored[..., 3:].astype(np.float32) / full) * (255.0 / full)
    return np.rint(np.clip(shown, 0, 255)).astype(np.uint8)
