"""Which values of a mask are labels, and which are edges or ringing between them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.data.masks.mask_pixels import COLOUR, MaskPixels, channels_of, value_counts

# How far, in gray levels of any channel, a JPEG's ringing strays from the label that was meant.
RINGING = 32
# A label of a mask with ringing fills this share of the picture with even areas; what is less and near one is ringing.
LABEL_SHARE = 0.005
SPECK_SHARE = 0.0005
# The outermost part of a picture, by its shorter side.
FRAME_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class MaskLevels:
    """The labels of one file.

    even: ``{value: pixels in even areas}``, the labels. present: every value of an exact file, else the labels. area and
    frame: ``{label: its share}`` of the picture and of its outermost 2 %. between: share of the pixels that are no label's,
    soft edges and ringing aside.
    """

    even: dict[int, int]
    present: tuple[int, ...]
    area: dict[int, float]
    frame: dict[int, float]
    between: float
    exact: bool


def find_levels(pixels: MaskPixels) -> MaskLevels:
    """The labels of a file: the values that fill an even 3x3 square somewhere.

    In a file that is not exact, a label fills 0.5 % of the picture with such squares; values within RINGING of one belong to
    it, whatever else fills 0.05 % is a label too.
    """
    values = pixels.values
    even = value_counts(values[_even(values)])
    if not pixels.exact:
        even = _without_ringing(even, values.size)
    labels = np.array(sorted(even), np.int64)
    if not labels.size:
        return MaskLevels({}, (), {}, {}, 1.0, pixels.exact)
    nearest, distance = nearest_level(values, labels)
    shares = np.bincount(nearest.ravel(), minlength=len(labels)) / values.size
    frame = nearest[_frame(values.shape)]
    framed = np.bincount(frame, minlength=len(labels)) / frame.size
    present = tuple(value_counts(values)) if pixels.exact else tuple(sorted(even))
    names = labels.tolist()
    return MaskLevels(
        even, present, dict(zip(names, shares.tolist(), strict=True)), dict(zip(names, framed.tolist(), strict=True)),
        float((distance > (0 if pixels.exact else RINGING)).mean()), pixels.exact,
    )  # fmt: skip


def nearest_level(values: np.ndarray, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The position of each value's nearest level, and how far it is; of two equally near the first."""
    if values.dtype in (np.uint8, np.uint16) and values.size > 1 << 8 * values.itemsize:
        # Fewer gray values than pixels: each is compared once.
        place, distance = nearest_level(np.arange(1 << 8 * values.itemsize), levels)
        return place[values], distance[values]
    place = np.zeros(values.shape, np.int64)
    best = level_distance(values, int(levels[0]))
    for number, level in enumerate(levels[1:], start=1):
        distance = level_distance(values, int(level))
        nearer = distance < best
        place[nearer], best[nearer] = number, distance[nearer]
    return place, best


def level_distance(values: np.ndarray, level: int) -> np.ndarray:
    """How far values are from a level, in gray levels: of colours, by the channel that differs most."""
    if level < COLOUR and not np.any(values >= COLOUR):
        return np.abs(values.astype(np.int64) - level)
    return np.abs(channels_of(values) - channels_of(np.array(level))).max(axis=-1)


def _even(values: np.ndarray) -> np.ndarray:
    """Where a pixel and its neighbours are alike, bool ``(H, W)``."""
    coloured = values.dtype == np.int64
    channels = list(np.moveaxis(channels_of(values), -1, 0).astype(np.uint8)) if coloured else [values]
    kernel, alike = np.ones((3, 3), np.uint8), np.ones(values.shape, bool)
    for channel in channels:
        alike &= cv2.erode(channel, kernel) == cv2.dilate(channel, kernel)
    return alike


def _without_ringing(even: dict[int, int], pixels: int) -> dict[int, int]:
    by_size = sorted(even, key=lambda value: (-even[value], value))
    labels = [value for value in by_size if even[value] >= LABEL_SHARE * pixels]
    merged = {value: even[value] for value in labels}
    for value in by_size[len(labels) :]:
        near = [label for label in labels if level_distance(np.array(value), label) <= RINGING]
        if near:
            merged[min(near, key=lambda label: int(level_distance(np.array(value), label)))] += even[value]
        elif even[value] >= SPECK_SHARE * pixels:
            merged[value] = even[value]
            labels.append(value)
    return merged


def _frame(shape: tuple[int, ...]) -> np.ndarray:
    width = max(1, round(FRAME_SHARE * min(shape)))
    frame = np.ones(shape, bool)
    frame[width:-width, width:-width] = False
    return frame
