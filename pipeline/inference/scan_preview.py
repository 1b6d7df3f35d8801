"""What is kept of a scan so that its answer can be shown: a small picture of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2

from pipeline.data.reading.scan_reader import read_scan
from pipeline.engine.arrays import Array
from pipeline.engine.errors import DataError
from pipeline.engine.given_path import FileKey, file_key

SIDE = 512


@dataclass(frozen=True, slots=True, eq=False)
class Preview:
    """pixels: uint8 (h, w), both sides at most SIDE px; None where the scan was remembered and not read again: its `path` then
    is, when the picture is shown, if it still holds what had been read (`key`)."""

    pixels: Array | None
    path: Path | None = None
    key: FileKey | None = None

    @classmethod
    def of(cls, gray: Array) -> Preview:
        """Of uint8 (H, W), which is copied."""
        return cls(shrunk(gray))

    def gray(self) -> Array | None:
        """uint8 (h, w); None where the file is gone or was written to."""
        if self.pixels is not None or self.path is None or self.key is None or file_key(self.path) != self.key:
            return self.pixels
        try:
            return shrunk(read_scan(self.path, with_colour=False).gray)
        except DataError:
            return None


def shrunk(picture: Array, interpolation: int = cv2.INTER_AREA) -> Array:
    """A copy of (H, W), no side longer than SIDE px, its proportions kept."""
    height, width = picture.shape
    scale = SIDE / max(height, width)
    if scale >= 1:
        return picture.copy()
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(picture, size, interpolation=interpolation)
