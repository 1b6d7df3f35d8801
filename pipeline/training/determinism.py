"""One place that makes TensorFlow repeat itself: seeds, threads, deterministic kernels."""

from __future__ import annotations

import keras
import tensorflow as tf


def make_deterministic(seed: int) -> None:
    """Seed Python, NumPy and Keras, and ask TensorFlow for deterministic kernels.

    The same seed on the same machine then gives the same weights, bit for bit.
    """
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)
