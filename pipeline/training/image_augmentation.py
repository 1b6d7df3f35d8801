"""What a training scan may undergo before it is seen: one random draw a scan and epoch, the same from the same seed.

Scans are gray, so colour jitter is what it is on gray: brightness, contrast and tone (gamma); hue and saturation have
nothing to act on. The geometric operations are one warp, so pixels are interpolated once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import cv2
import numpy as np
from pydantic import Field

from pipeline.engine.settings import Settings

Chance = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
SMALL_HOLES = 8
HOLE_SIDE = (0.05, 0.15)
CLAHE_TILES = (8, 8)


class AugmentationSettings(Settings):
    """Chances and strengths; a chance of 0 switches an operation off."""

    flip: Chance = 0.5
    """Chance of mirroring left and right."""
    rotation: Chance = 1.0
    """Chance of a rotation about the centre."""
    rotation_degrees: Annotated[float, Field(ge=0, le=180)] = 15.0
    """The angle is uniform within plus or minus this, degrees."""
    crop_from: Annotated[int, Field(ge=16)] | None = None
    """The scan is enlarged to this side, px, and a square of its own size is cut at random (256 for a 224 px profile is
    PneumoScope's crop); null: no crop."""
    jitter: Chance = 0.8
    """Chance that brightness, contrast and gamma change."""
    brightness: Share = 0.2
    """Bound of the uniform change of brightness, as a share."""
    contrast: Share = 0.2
    """Bound of the uniform change of contrast, as a share."""
    gamma: Share = 0.1
    """Bound of the uniform change of the exponent, as a share."""
    clahe: Chance = 0.2
    """Chance of contrast-limited adaptive histogram equalisation."""
    clahe_clip: Annotated[float, Field(gt=0, le=40)] = 2.0
    """Its clip limit."""
    noise: Chance = 0.2
    """Chance of Gaussian noise."""
    noise_sigma: Annotated[float, Field(ge=0, le=64)] = 5.0
    """The noise's σ is uniform up to this, gray levels of 255."""
    blur: Chance = 0.1
    """Chance of Gaussian blur."""
    blur_sigma: Annotated[float, Field(gt=0, le=10)] = 1.0
    """The blur's σ is uniform from half of this to this, px."""
    coarse_dropout: Chance = 0.2
    """Chance that up to 8 rectangles of 5 to 15 % of the side are blacked out (DeVries & Taylor 2017)."""
    grid_dropout: Chance = 0.1
    """Chance that a square in each cell of a regular grid is blacked out (GridMask: Chen et al. 2020)."""
    grid_share: Share = 0.3
    """Share of each cell's area that grid_dropout blacks out."""


OFF = AugmentationSettings(flip=0, rotation=0, jitter=0, clahe=0, noise=0, blur=0, coarse_dropout=0, grid_dropout=0)


def augment(pixels: np.ndarray, settings: AugmentationSettings, draw: np.random.Generator) -> np.ndarray:
    """One scan as the training sees it: uint8 ``(S, S)`` → uint8 ``(S, S)``; the input is left alone."""
    result = warp(pixels, settings, draw)
    for chance, operation in _operations(settings):
        # The chance is drawn also where it is 0, so that switching one operation off moves no other's draw.
        happens, own = draw.random() < chance, np.random.default_rng(draw.integers(2**63))
        if happens:
            result = operation(result, settings, own)
    return result


def augment_batch(pixels: np.ndarray, settings: AugmentationSettings, seed: int, epoch: int, first: int) -> np.ndarray:
    """As ``augment`` for uint8 ``(B, S, S)``; scan i draws from ``(seed, epoch, first + i)`` and from nothing else."""
    scans = enumerate(pixels, start=first)
    return np.stack([augment(scan, settings, np.random.default_rng([seed, epoch, place])) for place, scan in scans])


def warp(pixels: np.ndarray, settings: AugmentationSettings, draw: np.random.Generator) -> np.ndarray:
    """Flip, rotation about the centre and random crop in one linear interpolation; what comes from outside is black."""
    flips, rotates = draw.random(2) < (settings.flip, settings.rotation)
    angle, *shift = draw.uniform(-1, 1, 3)
    side = pixels.shape[0]
    zoom = settings.crop_from / side if settings.crop_from else 1.0
    matrix = cv2.getRotationMatrix2D(((side - 1) / 2,) * 2, settings.rotation_degrees * angle if rotates else 0.0, zoom)
    matrix[:, 2] += np.asarray(shift) * max(0.0, (zoom - 1) * side / 2)
    if flips:
        matrix = matrix @ np.array([[-1, 0, side - 1], [0, 1, 0], [0, 0, 1.0]])
    if np.allclose(matrix, np.eye(2, 3)):
        return pixels.copy()
    return cv2.warpAffine(pixels, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def jitter(pixels: np.ndarray, settings: AugmentationSettings, draw: np.random.Generator) -> np.ndarray:
    """Brightness factor, contrast about the scan's mean, then gamma, by one table of 256 gray levels."""
    brightness, contrast, gamma = 1 + draw.uniform(-1, 1, 3) * (settings.brightness, settings.contrast, settings.gamma)
    levels = np.arange(256) * brightness
    mean = float(pixels.mean()) * brightness
    levels = np.clip((levels - mean) * contrast + mean, 0, 255)
    return cv2.LUT(pixels, np.rint(255 * (levels / 255) ** gamma).astype(np.uint8))


def equalise_locally(pixels: np.ndarray, settings: AugmentationSettings, draw: np.random.Generator) -> np.ndarray:
    """OpenCV's CLAHE, 8 × 8 tiles."""
    return cv2.createCLAHE(settings.clahe_clip, CLAHE_TILES).apply(pixels)


def add_noise(pixels: np.ndarray, settings: AugmentationSettings, draw: np.random.Generator) -> np.ndarray:
    """Gaussian noise of a random σ, the same at every gray level."""
    sigma = draw.uniform(0, settings.noise_sigma)
    noisy = pixels + sigma * draw.standard_normal(pixels.shape, np.float32)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def blur(pixels: np.ndarray, settings: AugmentationSettings, draw: np.random.Generator) -> np.ndarray:
    """Gaussian blur of a random σ."""
    return cv2.GaussianBlur(pixels, (0, 0), draw.uniform(0.5, 1.0) * settings.blur_sigma)


def drop_rectangles(pixels: np.ndarray, settings: AugmentationSettings, draw: np.random.Generator) -> np.ndarray:
    """Black rectangles at random places."""
    result, side = pixels.copy(), pixels.shape[0]
    for _ in range(draw.integers(1, SMALL_HOLES + 1)):
        height, width = np.maximum(1, (side * draw.uniform(*HOLE_SIDE, 2)).astype(int))
        top, left = draw.integers(0, (side - height + 1, side - width + 1))
        result[top : top + height, left : left + width] = 0
    return result


def drop_grid(pixels: np.ndarray, settings: AugmentationSettings, draw: np.random.Generator) -> np.ndarray:
    """A black square in every cell of a grid of random pitch and phase; ``grid_share`` of the picture's area."""
    side = pixels.shape[0]
    pitch = int(draw.integers(max(4, side // 8), max(5, side // 3) + 1))
    hole = round(pitch * settings.grid_share**0.5)
    row, column = ((np.arange(side) + phase) % pitch < hole for phase in draw.integers(0, pitch, 2))
    return np.where(row[:, None] & column[None, :], 0, pixels).astype(np.uint8)


Operation = Callable[[np.ndarray, AugmentationSettings, np.random.Generator], np.ndarray]


def _operations(settings: AugmentationSettings) -> tuple[tuple[float, Operation], ...]:
    """In the order in which a picture comes about: tone, sharpness, the detector's noise, what covers it."""
    return (
        (settings.clahe, equalise_locally), (settings.jitter, jitter), (settings.blur, blur), (settings.noise, add_noise),
        (settings.coarse_dropout, drop_rectangles), (settings.grid_dropout, drop_grid),
    )  # fmt: skip
