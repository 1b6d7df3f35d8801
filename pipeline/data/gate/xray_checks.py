"""The nine hand-made checks of whether a picture could be a chest X-ray: size, colour, tones, texture, edges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import cv2
import numpy as np

LOCAL_WINDOW = (8, 8)
CANNY_LOW, CANNY_HIGH = 30, 100
RIB_KERNEL = np.ones((1, 5), np.uint8)


@dataclass(frozen=True, slots=True)
class Check:
    """One check of one picture.

    name: of CHECK_NAMES. value: what was measured. low, high: the bounds that pass, inclusive; infinite where there
    is none. message: what to say where it failed, "" where it passed.
    """

    name: str
    value: float
    low: float
    high: float
    message: str

    @property
    def passed(self) -> bool:
        return self.low <= self.value <= self.high

    @property
    def threshold(self) -> str:
        """The bounds in words: `>= 256`, `<= 8`, `20 to 240`."""
        if self.high == inf:
            return f">= {self.low:g}"
        return f"<= {self.high:g}" if self.low == -inf else f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    measure: Callable[[np.ndarray], float]
    low: float
    high: float
    message: str
    message_above: str = ""


def smallest_side(gray: np.ndarray) -> float:
    """The shorter side, px."""
    return float(min(gray.shape))


def mean_channel_difference(rgb: np.ndarray | None) -> float:
    """Mean over pixels and the three channel pairs of the absolute difference, 0…255; 0.0 for a gray picture (None)."""
    if rgb is None:
        return 0.0
    red, green, blue = cv2.split(rgb)
    return float(np.mean([cv2.absdiff(a, b).mean() for a, b in ((red, green), (green, blue), (blue, red))]))


def brightness(gray: np.ndarray) -> float:
    """Mean gray value, 0…255."""
    return float(gray.mean())


def contrast(gray: np.ndarray) -> float:
    """Standard deviation of the gray values."""
    return float(cv2.meanStdDev(gray)[1].item())


def local_variance(gray: np.ndarray) -> float:
    """Mean over the pixels of the squared deviation from the mean of their 8×8 neighbourhood.

    The threshold was set for this measure: the variance inside whole windows is larger, and would refuse almost nothing.
    """
    values = gray.astype(np.float32)
    deviation = values - cv2.blur(values, LOCAL_WINDOW)
    return float(np.mean(deviation * deviation, dtype=np.float64))


def histogram_entropy(gray: np.ndarray) -> float:
    """Shannon entropy of the 256-bin histogram, bits, 0…8."""
    share = np.bincount(gray.ravel(), minlength=256) / gray.size
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum()) + 0.0


def horizontal_edge_share(gray: np.ndarray) -> float:
    """Share of pixels on horizontal edges at least 5 px long: Canny 30/100, then a 1×5 opening."""
    edges = cv2.morphologyEx(cv2.Canny(gray, CANNY_LOW, CANNY_HIGH), cv2.MORPH_OPEN, RIB_KERNEL)
    return float(np.count_nonzero(edges) / edges.size)


def dark_bright_balance(gray: np.ndarray) -> float:
    """The smaller of two shares: pixels below the 25th percentile, pixels above the 75th; at most 0.25, less with ties."""
    dark, bright = np.percentile(gray, (25, 75))
    return float(min(np.count_nonzero(gray < dark), np.count_nonzero(gray > bright)) / gray.size)


def gray_level_count(gray: np.ndarray) -> float:
    """How many of the 256 gray values occur."""
    return float(np.count_nonzero(np.bincount(gray.ravel(), minlength=256)))


_COLOUR = _Rule(
    "grayscale", lambda gray: 0.0, -inf, 8, "Image appears to be colorful. X-ray images must be grayscale."
)  # fmt: skip
_RULES = (
    _Rule("dimension", smallest_side, 256, inf,
          "Image is too small. Minimum dimension should be 256 pixels for X-ray analysis."),
    _COLOUR,
    _Rule("brightness", brightness, 20, 240, "Image is too dark for an X-ray.", "Image is too bright for an X-ray."),
    _Rule("contrast", contrast, 8, inf, "Image has too little contrast for X-ray analysis."),
    _Rule("anatomical_detail", local_variance, 20, inf,
          "Image lacks anatomical detail. X-rays should show lung structures and ribs."),
    _Rule("histogram_entropy", histogram_entropy, 3.0, inf,
          "Gray values are spread too little. X-rays show a wide range of intensities."),
    _Rule("rib_structure", horizontal_edge_share, 0.0005, inf,
          "No rib-like structures detected. X-rays should show rib outlines."),
    _Rule("lung_field_balance", dark_bright_balance, 0.05, inf,
          "Dark and bright areas are out of balance. X-rays show dark lung fields beside bright bones."),
    _Rule("gray_levels", gray_level_count, 50, inf,
          "Image has too few gray levels. X-rays have a continuous gray scale."),
)  # fmt: skip

CHECK_NAMES = tuple(rule.name for rule in _RULES)


def check_xray(gray: np.ndarray, rgb: np.ndarray | None = None) -> list[Check]:
    """All nine checks, in the order of CHECK_NAMES, whether or not an earlier one failed.

    gray: uint8 (H, W), at the file's own size. rgb: uint8 (H, W, 3), or None for a picture without colour.
    The thresholds are those of the original `is_xray_like`; they were set for it and are not tuned here.
    """
    return [_judged(rule, mean_channel_difference(rgb) if rule is _COLOUR else rule.measure(gray)) for rule in _RULES]


def _judged(rule: _Rule, value: float) -> Check:
    message = ""
    if value < rule.low:
        message = rule.message
    elif value > rule.high:
        message = rule.message_above or rule.message
    return Check(rule.name, value, rule.low, rule.high, message)
