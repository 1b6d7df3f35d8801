"""Let XLA compile runs of elementwise operations into one, and leave convolutions to oneDNN.

A training step of the UNet on a CPU spends more time on elementwise operations (normalisation, dropout, PReLU and
their gradients, each a pass over memory) than on convolutions. XLA's own convolutions and reductions are slower here
than TensorFlow's, so only the operations named below are given to it. Importable without TensorFlow.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

# "PW" is XLA's own list of pointwise operations; the gradient of a crop runs on one thread in TensorFlow.
FUSED_OPERATIONS = ("PW", "StridedSliceGrad", "BroadcastTo", "Pad", "PadV2", "Slice", "StridedSlice")
FLAGS_VARIABLE = "TF_XLA_FLAGS"


def permit_pointwise_fusion() -> None:
    """Name the operations to XLA, through its environment variable; nothing is compiled by that alone.

    TensorFlow reads the variable once, at its first operation, so this must come before. A variable that the user
    has set stays as it is.
    """
    os.environ.setdefault(
        FLAGS_VARIABLE, f"--tf_xla_cpu_global_jit=true --tf_xla_ops_to_cluster={','.join(FUSED_OPERATIONS)}"
    )


@contextmanager
def fusing_pointwise(fused: bool) -> Iterator[None]:
    """Compiled TensorFlow functions called inside have their elementwise operations fused, if ``fused``.

    The first call at each batch shape compiles for half a minute (the default UNet on 2 cores). Sums are rounded in
    another order than without.
    """
    if not fused:
        yield
        return
    import tensorflow as tf

    before = tf.config.optimizer.get_jit()
    tf.config.optimizer.set_jit("autoclustering")
    try:
        yield
    finally:
        tf.config.optimizer.set_jit(before or False)
