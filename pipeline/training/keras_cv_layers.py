"""The layers taken from KerasCV. Nothing else imports it: it is slow to import, and has its own random state."""

from __future__ import annotations

from typing import Any

import keras_cv
import tensorflow as tf


class MirrorTogether:
    """KerasCV's horizontal ``RandomFlip`` of a batch and its masks, drawn from a given seed.

    KerasCV's ``RandomRotation``, ``RandomZoom`` and ``RandomTranslation`` are not taken: each interpolates once more.
    """

    def __init__(self, chance: float) -> None:
        self._layer = keras_cv.layers.RandomFlip("horizontal", rate=chance, seed=1)

    def __call__(self, images: Any, masks: Any, seed: Any) -> tuple[Any, Any]:
        """``(B, H, W, 1)`` float32 twice, and a seed ``(2,)`` int32 that alone decides which scans are mirrored."""
        # The layer draws from its generator's state, so the state is set: a resumed training draws the same.
        state = tf.concat([tf.cast(seed, tf.int64), [0]], axis=0)
        self._layer._random_generator.state.assign(state)
        mirrored = self._layer({"images": images, "segmentation_masks": masks}, training=True)
        return mirrored["images"], mirrored["segmentation_masks"]
