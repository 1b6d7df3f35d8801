"""The gradient that Grad-CAM needs, taken from a head that can only be run: no TensorFlow, no gradient in the graph."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.engine.arrays import Array

STEP = 0.1
BATCH = 64


def channel_gradients(
    score: Callable[[Array], Array], feature_maps: Array, step: float = STEP, batch: int = BATCH
) -> Array:
    """d score / d (the same amount added to a channel everywhere), float64 (C,): the sum of a channel's gradient.

    Divided by the number of positions that is Grad-CAM's weight of the channel (Selvaraju et al. 2017, eq. 1), whatever
    the head makes of the maps; `class_activation.grad_cam` divides. Central differences: an error of the order step².

    score: (n, …, C) float32 maps → (n,) float64 scores, such as a logit. feature_maps: (…, C). step: as a share of
    the maps' root mean square. batch: maps in memory at a time.
    """
    channels = feature_maps.shape[-1]
    size = float(np.sqrt(np.mean(np.square(feature_maps, dtype=np.float64))))
    amount = np.float32(step * (size or 1.0))
    gradients = np.empty(channels)
    for start in range(0, channels, batch):
        chosen = np.arange(start, min(start + batch, channels))
        moves = np.zeros((len(chosen), *(1,) * (feature_maps.ndim - 1), channels), np.float32)
        moves[np.arange(len(chosen)), ..., chosen] = amount
        gradients[chosen] = (score(feature_maps + moves) - score(feature_maps - moves)) / (2 * float(amount))
    return gradients
