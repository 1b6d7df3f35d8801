"""Scans and their lung masks, moved together: what a training batch undergoes before it is seen.

Rotation, scale and shift are one warp, so that pixels are interpolated once: bilinear for the scan, nearest for its
mask. ``keras.layers.RandomElasticTransform`` is not offered: it moves the mask by another field than the image.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from pipeline.training.keras_cv_layers import MirrorTogether
from pipeline.training.segmenter.settings import SegmentationAugmentation

GRAY_LEVELS = 255.0
GAMMA_FLOOR = 1e-6


class WarpTogether(keras.layers.Layer):
    """Scan and mask ``(B, H, W, 1)`` float32 through one affine map each pair; black and background come from outside."""

    def call(self, images: Any, masks: Any, transforms: Any) -> tuple[Any, Any]:
        """transforms: ``(B, 8)`` float32, output to input coordinates as ``keras.ops.image.affine_transform`` takes them."""
        moved = ops.image.affine_transform(images, transforms, interpolation="bilinear", fill_mode="constant")
        return moved, ops.image.affine_transform(masks, transforms, interpolation="nearest", fill_mode="constant")


class ToneChange(keras.layers.Layer):
    """x → gain · x^gamma + offset, a triple for each scan, clipped to [0, 1]."""

    def call(self, images: Any, tones: Any) -> Any:
        """images: ``(B, H, W, 1)`` float32 in [0, 1]; tones: ``(B, 3)`` float32 (gamma, gain, offset)."""
        gamma, gain, offset = (ops.reshape(tones[:, place], (-1, 1, 1, 1)) for place in range(3))
        return ops.clip(gain * ops.power(ops.maximum(images, GAMMA_FLOOR), gamma) + offset, 0.0, 1.0)


class NoiseAdded(keras.layers.Layer):
    """Gaussian noise of a σ for each scan, clipped to [0, 1]."""

    def call(self, images: Any, sigmas: Any, seed: Any) -> Any:
        """images: ``(B, H, W, 1)`` float32 in [0, 1]; sigmas: ``(B,)`` float32; seed: ``(2,)`` int32."""
        noise = tf.random.stateless_normal(tf.shape(images), seed)
        return ops.clip(images + ops.reshape(sigmas, (-1, 1, 1, 1)) * noise, 0.0, 1.0)


class PairAugmentation:
    """A batch of one side in pixels as the training sees it, by the settings; compiled once."""

    def __init__(self, settings: SegmentationAugmentation, side: int) -> None:
        self.settings = settings
        self._mirror = MirrorTogether(settings.flip) if settings.flip else None
        self._warp, self._tone, self._noise = WarpTogether(), ToneChange(), NoiseAdded()
        self._moves = bool((settings.rotation and settings.rotation_degrees) or settings.scale or settings.shift)
        self._tones = bool(settings.brightness or settings.contrast or settings.gamma)
        pixels, numbers = tf.TensorSpec((None, side, side), tf.uint8), tf.float32
        self._apply = tf.function(self._augment, input_signature=[
            pixels, pixels, tf.TensorSpec((None, 8), numbers), tf.TensorSpec((None, 3), numbers), tf.TensorSpec((None,), numbers),
            tf.TensorSpec((2, 2), tf.int32),
        ])  # fmt: skip

    def __call__(self, images: np.ndarray, masks: np.ndarray, seed: tuple[int, ...]) -> tuple[Any, Any]:
        """uint8 ``(B, S, S)`` twice → float32 tensors ``(B, S, S, 1)``: scans in [0, 1], masks of 0 and 1.

        seed: what the draw derives from and nothing else, such as (run's seed, epoch, step).
        """
        draw = np.random.default_rng(seed)
        seeds = draw.integers(0, 2**31, (2, 2), np.int32)
        transforms = draw_transforms(len(images), images.shape[1], self.settings, draw)
        tones = draw_tones(len(images), self.settings, draw)
        sigmas = (draw.random(len(images)) < self.settings.noise) * np.float32(self.settings.noise_sigma / GRAY_LEVELS)
        return self._apply(tf.constant(images), tf.constant(masks), tf.constant(transforms), tf.constant(tones),
                           tf.constant(sigmas, tf.float32), tf.constant(seeds))  # fmt: skip

    def _augment(self, images, masks, transforms, tones, sigmas, seeds):
        images, masks = plain_pair(images, masks)
        if self._mirror is not None:
            images, masks = self._mirror(images, masks, seeds[0])
        if self._moves:
            images, masks = self._warp(images, masks, transforms)
        if self._tones:
            images = self._tone(images, tones)
        if self.settings.noise and self.settings.noise_sigma:
            images = self._noise(images, sigmas, seeds[1])
        return images, masks


def plain_pair(images: Any, masks: Any) -> tuple[Any, Any]:
    """uint8 ``(B, S, S)`` twice → float32 ``(B, S, S, 1)``: scans in [0, 1], masks of 0 and 1."""
    images, masks = (tf.cast(tf.convert_to_tensor(array), tf.float32)[..., None] for array in (images, masks))
    return images / GRAY_LEVELS, masks


def draw_transforms(count: int, side: int, settings: SegmentationAugmentation, draw: np.random.Generator) -> np.ndarray:
    """Rotation about the centre, scale and shift as ``(count, 8)`` float32: output (x, y) → input (x, y)."""
    chosen = draw.random(count) < settings.rotation
    angle = np.deg2rad(settings.rotation_degrees) * draw.uniform(-1, 1, count) * chosen
    scale = 1 + settings.scale * draw.uniform(-1, 1, count)
    right, down = settings.shift * side * draw.uniform(-1, 1, (2, count))
    centre = (side - 1) / 2
    cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
    x, y = -centre - right, -centre - down
    zero = np.zeros(count)
    rows = (cosine, -sine, cosine * x - sine * y + centre, sine, cosine, sine * x + cosine * y + centre, zero, zero)
    return np.stack(rows, axis=1).astype(np.float32)


def draw_tones(count: int, settings: SegmentationAugmentation, draw: np.random.Generator) -> np.ndarray:
    """``(count, 3)`` float32: gamma, gain, offset."""
    gamma, gain, offset = draw.uniform(-1, 1, (3, count))
    tones = (np.exp(settings.gamma * gamma), 1 + settings.contrast * gain, settings.brightness * offset)
    return np.stack(tones, axis=1).astype(np.float32)
