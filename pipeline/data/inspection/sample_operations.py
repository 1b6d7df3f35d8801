"""The classical image operations that a sample sheet shows, by family."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

Operation = Callable[[np.ndarray], np.ndarray]

THRESHOLD = 100
ADAPTIVE_BLOCK, ADAPTIVE_C = 11, 2
SHEET_CLAHE_CLIP, SHEET_CLAHE_TILES = 2.0, (8, 8)
_SQUARE = np.ones((5, 5), np.uint8)


def families() -> dict[str, dict[str, Operation]]:
    """{family: {caption: uint8 (H, W) → uint8 (H, W)}} in the order of the sheet: threshold, blur,
    morphology, edge, histogram. Every result is scaled for the eye; none is a model's input."""
    return {
        "threshold": _threshold(),
        "blur": _blur(),
        "morphology": _morphology(),
        "edge": _edge(),
        "histogram": _histogram(),
    }


def _threshold() -> dict[str, Operation]:
    kinds = {
        "binary": cv2.THRESH_BINARY,
        "binary inverted": cv2.THRESH_BINARY_INV,
        "truncated": cv2.THRESH_TRUNC,
        "to zero": cv2.THRESH_TOZERO,
        "to zero inverted": cv2.THRESH_TOZERO_INV,
    }
    found: dict[str, Operation] = {f"{name} at {THRESHOLD}": _fixed(kind) for name, kind in kinds.items()}
    found["adaptive mean"] = _adaptive(cv2.ADAPTIVE_THRESH_MEAN_C)
    found["adaptive Gaussian"] = _adaptive(cv2.ADAPTIVE_THRESH_GAUSSIAN_C)
    found["Otsu"] = lambda gray: cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1]
    return found


def _fixed(kind: int) -> Operation:
    return lambda gray: cv2.threshold(gray, THRESHOLD, 255, kind)[1]


def _adaptive(method: int) -> Operation:
    return lambda gray: cv2.adaptiveThreshold(
        gray, 255, method, cv2.THRESH_BINARY, ADAPTIVE_BLOCK, ADAPTIVE_C
    )


def _blur() -> dict[str, Operation]:
    return {
        "mean 5x5": lambda gray: cv2.blur(gray, (5, 5)),
        "median 5x5": lambda gray: cv2.medianBlur(gray, 5),
        "Gaussian 5x5": lambda gray: cv2.GaussianBlur(gray, (5, 5), 0),
        "bilateral": lambda gray: cv2.bilateralFilter(gray, 9, 75, 75),
    }


def _morphology() -> dict[str, Operation]:
    kinds = {
        "opening": cv2.MORPH_OPEN,
        "closing": cv2.MORPH_CLOSE,
        "gradient": cv2.MORPH_GRADIENT,
        "top-hat": cv2.MORPH_TOPHAT,
        "black-hat": cv2.MORPH_BLACKHAT,
    }
    simple: dict[str, Operation] = {
        "erosion": lambda gray: cv2.erode(gray, _SQUARE),
        "dilation": lambda gray: cv2.dilate(gray, _SQUARE),
    }
    return simple | {name: _morphed(kind) for name, kind in kinds.items()}


def _morphed(kind: int) -> Operation:
    return lambda gray: cv2.morphologyEx(gray, kind, _SQUARE)


def _edge() -> dict[str, Operation]:
    return {
        "Laplacian": lambda gray: cv2.convertScaleAbs(cv2.Laplacian(gray, cv2.CV_32F, ksize=3)),
        "Sobel x": lambda gray: cv2.convertScaleAbs(cv2.Sobel(gray, cv2.CV_32F, 1, 0, ksize=3)),
        "Sobel y": lambda gray: cv2.convertScaleAbs(cv2.Sobel(gray, cv2.CV_32F, 0, 1, ksize=3)),
        "Canny": lambda gray: cv2.Canny(gray, 100, 200),
        "unsharp mask": lambda gray: cv2.addWeighted(gray, 1.5, cv2.GaussianBlur(gray, (0, 0), 3), -0.5, 0),
    }


def _histogram() -> dict[str, Operation]:
    return {
        "equalised": cv2.equalizeHist,
        f"CLAHE, clip {SHEET_CLAHE_CLIP}": lambda gray: cv2.createCLAHE(SHEET_CLAHE_CLIP, SHEET_CLAHE_TILES).apply(
            gray
        ),
    }
