"""Frozen backbone features of stored pixels, streamed: memory does not grow with the number of scans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from pipeline.engine.arrays import read_layout, read_rows
from pipeline.training.prefetch import prefetched

BATCH = 32


def scaled(pixels: np.ndarray) -> np.ndarray:
    """uint8 ``(B, S, S)`` → float32 ``(B, S, S, 1)`` in [0, 1]: what every backbone is fed."""
    return (pixels.astype(np.float32) / np.float32(255))[..., None]


def compiled_forward(backbone: keras.Model) -> Callable[[np.ndarray], tf.Tensor]:
    """The backbone's inference pass as one TensorFlow graph, traced once for any batch size."""
    signature = tf.TensorSpec((None, *backbone.input_shape[1:]), tf.float32)
    return tf.function(lambda image: backbone(image, training=False), input_signature=[signature])


def frozen_features(
    backbone: keras.Model, pixels: Path, track: Callable[[Iterable, int], Iterable], batch: int = BATCH
) -> Iterator[np.ndarray]:
    """Yield features ``(b, F)`` float32 of the rows of ``pixels`` (``.npy``, uint8 ``(N, S, S)``), in order.

    The next batch is read and scaled while the backbone computes this one.
    """
    rows = read_layout(pixels).shape[0]
    forward = compiled_forward(backbone)
    batches = -(-rows // batch)

    def load(place: int) -> np.ndarray:
        return scaled(read_rows(pixels, place * batch, min((place + 1) * batch, rows)))

    for images in track(prefetched(load, batches), batches):
        yield forward(tf.constant(images)).numpy()
