"""A picture file as gray and, where it has any, colour: for checks that ask whether it is colourful."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.data.reading.scan_reader import read_scan


def read_gray_and_colour(path: Path | str) -> tuple[np.ndarray, np.ndarray | None]:
    """uint8 gray (H, W) as `read_gray` gives it, and uint8 RGB (H, W, 3) or None where the file holds no colour.

    Raises DataError as `read_scan` does.
    """
    scan = read_scan(path)
    return scan.gray, scan.colour
