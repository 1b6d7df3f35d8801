"""Round weights to what is shipped, before any figure is taken from them.

Kernels (two dimensions or more) are rounded to float16 and kept as float32 numbers; biases and
batch-normalisation statistics stay whole, since they are few and span many orders of magnitude.
"""

from __future__ import annotations

from typing import Literal

import keras
import numpy as np

StoredPrecision = Literal["float16", "float32"]


def round_kernels(model: keras.Model, precision: StoredPrecision) -> keras.Model:
    """Round every kernel of ``model`` in place to ``precision``; returns the model."""
    if precision == "float16":
        for weight in model.weights:
            if len(weight.shape) >= 2:
                limit = float(np.finfo(np.float16).max)
                rounded = np.clip(np.asarray(weight.value), -limit, limit).astype(np.float16)
                weight.assign(rounded.astype(np.float32))
    return model
