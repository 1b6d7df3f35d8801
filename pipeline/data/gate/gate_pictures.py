"""The pictures that an X-ray gate is judged on: real X-rays, CT slices, and what is no scan at all."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.data.csv_rows import read_rows
from pipeline.data.gate.foreign_pictures import foreign_pictures
from pipeline.data.reading.colour_reader import read_gray_and_colour

MANIFEST = "manifest.csv"
XRAY_SETS = ("cxr4", "cxr_nih", "cxr_ieee_other")
CT_SET = "ct_covidct"
XRAY_LONGEST, XRAY_SHAPE = 512, (420, 512)


@dataclass(frozen=True, slots=True)
class GatePicture:
    """A picture that a gate is asked about: kind, whether it is a chest X-ray, uint8 (H, W) and, of a coloured one, (H, W, 3)."""

    kind: str
    is_xray: bool
    gray: np.ndarray
    colour: np.ndarray | None = None


def gate_pictures(data: Path, left_out: Collection[str], every: int, foreign: int, seed: int) -> Iterator[GatePicture]:
    """The X-rays and CT slices under `data`, and `foreign` pictures of each other kind.

    left_out: patient ids. every: only each n-th slice. Raises DataError, and MissingArtifactError where scikit-image is not
    installed.
    """
    slices = 0
    for row in read_rows(data / MANIFEST):
        if row["set"] in XRAY_SETS and row["patient_id"] not in left_out:
            yield GatePicture(row["set"], True, *read_gray_and_colour(data / row["image"]))
        elif row["set"] == CT_SET:
            slices += 1
            if slices % every == 0:
                yield from _slice_at_three_sizes(read_gray_and_colour(data / row["image"])[0])
    for picture in foreign_pictures(seed, foreign):
        if picture.pixels.ndim == 2:
            yield GatePicture(picture.kind, False, picture.pixels)
        else:
            yield GatePicture(picture.kind, False, cv2.cvtColor(picture.pixels, cv2.COLOR_RGB2GRAY), picture.pixels)


def _slice_at_three_sizes(gray: np.ndarray) -> Iterator[GatePicture]:
    """A CT slice as it is, enlarged to an X-ray's longest side, and stretched to an X-ray's shape."""
    height, width = gray.shape
    scale = XRAY_LONGEST / max(height, width)
    yield GatePicture("CT slices", False, gray)
    yield GatePicture("CT slices, X-ray size", False, cv2.resize(gray, (round(width * scale), round(height * scale))))
    yield GatePicture("CT slices, X-ray shape", False, cv2.resize(gray, XRAY_SHAPE[::-1]))
