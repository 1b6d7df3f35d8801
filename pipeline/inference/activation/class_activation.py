"""Grad-CAM and Grad-CAM++ from what a bundle's graph gives: feature maps and the head's gradient. No TensorFlow.

The head reads the mean of each feature map. The gradient of a logit with respect to a map is therefore one number a
channel, the same at every position: d logit / d mean, over the number of positions.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.engine.arrays import Array


def grad_cam(feature_maps: Array, pooled_gradients: Array) -> Array:
    """Grad-CAM of one class, float32 (h, w) ≥ 0 (Selvaraju et al. 2017, eq. 1 and 2).

    feature_maps: (h, w, C). pooled_gradients: (C,), d logit / d mean of each map.
    """
    return _positive_sum(feature_maps, _at_each_position(feature_maps, pooled_gradients))


def grad_cam_plus_plus(feature_maps: Array, pooled_gradients: Array) -> Array:
    """Grad-CAM++ of one class, float32 (h, w) ≥ 0 (Chattopadhay et al. 2018, eq. 11 and 19, for a score of exp(logit)).

    Shapes as in `grad_cam`. With a gradient g that is the same at every position of a map A, each position's α is
    g² / (2 g² + g³ ΣA), and the channel's weight is α·max(g, 0) times the number of positions. The common factor
    exp(logit) is left out. Where the denominator is zero the channel has no weight.
    """
    gradient = _at_each_position(feature_maps, pooled_gradients)
    squared = gradient**2
    denominator = 2 * squared + gradient**3 * feature_maps.astype(np.float64).sum(axis=(0, 1))
    alpha = np.divide(squared, denominator, out=np.zeros_like(squared), where=denominator != 0)
    positions = feature_maps.shape[0] * feature_maps.shape[1]
    return _positive_sum(feature_maps, positions * alpha * np.maximum(gradient, 0))


def at_size(activation: Array, shape: tuple[int, ...]) -> Array:
    """A map (h, w) ≥ 0 → float32 (H, W) in [0, 1]: bilinear, then divided by its maximum; all zero stays all zero.

    Zero everywhere means that nothing in the picture speaks for the class.
    """
    height, width = shape
    large = np.maximum(cv2.resize(activation.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR), 0)
    highest = float(large.max())
    return large / np.float32(highest) if highest > 0 else large


def _at_each_position(feature_maps: Array, pooled_gradients: Array) -> Array:
    return pooled_gradients.astype(np.float64) / (feature_maps.shape[0] * feature_maps.shape[1])


def _positive_sum(feature_maps: Array, weights: Array) -> Array:
    return np.maximum(feature_maps.astype(np.float64) @ weights, 0).astype(np.float32)
