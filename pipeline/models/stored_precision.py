"""The precision in which networks are stored, and in which they compute.

Weights are rounded to what is shipped before any figure is taken from them. Kernels (two dimensions or more) are
rounded to float16 and kept as float32 numbers; biases and batch-normalisation statistics stay whole, since they are few
and span many orders of magnitude.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def computing_in(policy: str) -> Iterator[None]:
    """Networks built inside compute in this Keras policy; the process's own returns afterwards."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
