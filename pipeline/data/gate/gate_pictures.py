"""The pictures that a gate is learnt from and judged on: real X-rays, CT slices, and what is no scan at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.data.csv_rows import read_rows, require_columns
from pipeline.data.gate.foreign_pictures import foreign_pictures
from pipeline.data.gate.kinds import NEITHER
from pipeline.data.reading.colour_reader import read_gray_and_colour
from pipeline.data.scans import CT, XRAY
from pipeline.engine.errors import DataError

MANIFEST = "manifest.csv"
XRAY_SETS = ("cxr4", "cxr_nih", "cxr_ieee_other")
CT_SET = "ct_covidct"
XRAY_LONGEST, XRAY_SHAPE = 512, (420, 512)


@dataclass(frozen=True, slots=True)
class GatePicture:
    """A picture that a gate is asked about.

    group: the set, or the kind of foreign pictures, that it belongs to. kind: what it is, "xray", "ct" or "neither". patient:
    "" of what shows none. gray: uint8 (H, W); colour: (H, W, 3) of a coloured one. learnable: a scan as it is, not resized.
    """

    group: str
    kind: str
    patient: str
    gray: np.ndarray
    colour: np.ndarray | None = None
    learnable: bool = False


def scan_pictures(data: Path, every: int = 1, resized: bool = True) -> Iterator[GatePicture]:
    """The X-rays and CT slices of the manifest under `data`; every slice is also given at an X-ray's size and shape.

    every: only each n-th slice. resized: with those further sizes. Raises DataError: no manifest, one without these sets.
    """
    rows, slices = read_rows(data / MANIFEST), 0
    require_columns(data / MANIFEST, rows, "set", "image", "patient_id")
    if not any(row["set"] in (*XRAY_SETS, CT_SET) for row in rows):
        known = ", ".join((*XRAY_SETS, CT_SET))
        raise DataError(f"{data / MANIFEST}: no row is of one of the sets {known}.", "Give the folder of the real scans.")
    for row in rows:
        if row["set"] in XRAY_SETS:
            pixels = read_gray_and_colour(data / row["image"])
            yield GatePicture(row["set"], XRAY, row["patient_id"], *pixels, learnable=True)
        elif row["set"] == CT_SET:
            slices += 1
            if slices % every == 0:
                gray, colour = read_gray_and_colour(data / row["image"])
                yield GatePicture("CT slices", CT, row["patient_id"], gray, colour, learnable=True)
                yield from _at_other_sizes(gray, row["patient_id"]) if resized else ()


def foreign_gate_pictures(foreign: int, seed: int) -> Iterator[GatePicture]:
    """About `foreign` pictures of every kind that is no scan. Raises MissingArtifactError: scikit-image is not installed."""
    for picture in foreign_pictures(seed, foreign):
        if picture.pixels.ndim == 2:
            yield GatePicture(picture.kind, NEITHER, "", picture.pixels)
        else:
            yield GatePicture(picture.kind, NEITHER, "", cv2.cvtColor(picture.pixels, cv2.COLOR_RGB2GRAY), picture.pixels)


def _at_other_sizes(gray: np.ndarray, patient: str) -> Iterator[GatePicture]:
    """A CT slice enlarged to an X-ray's longest side, and stretched to an X-ray's shape."""
    height, width = gray.shape
    scale = XRAY_LONGEST / max(height, width)
    enlarged = cv2.resize(gray, (round(width * scale), round(height * scale)))
    yield GatePicture("CT slices, X-ray size", CT, patient, enlarged)
    yield GatePicture("CT slices, X-ray shape", CT, patient, cv2.resize(gray, XRAY_SHAPE[::-1]))
