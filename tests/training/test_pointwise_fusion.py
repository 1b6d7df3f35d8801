"""Fused elementwise operations: XLA really gets them, the numbers stay, and a killed training still ends with its bytes."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

from pipeline.training.segmenter.pointwise_fusion import FLAGS_VARIABLE, fusing_pointwise, permit_pointwise_fusion


@dataclass
class Ran:
    """What one compiled call gave, and the kinds of operations that ran for it."""

    values: np.ndarray
    operations: set[str]


def ran(fused: bool) -> Ran:
    """A convolution between elementwise operations, as in a block of the UNet."""
    x, kernel = tf.linspace(-1.0, 1.0, 2 * 8 * 8 * 3), tf.reshape(tf.linspace(-1.0, 1.0, 3 * 3 * 3 * 4), (3, 3, 3, 4))

    def block(x):
        y = tf.nn.conv2d(tf.exp(x) * 2.0 - x, kernel, 1, "SAME")
        return (tf.nn.relu(y) - 0.25 * tf.nn.relu(-y)) * tf.sigmoid(y) + tf.exp(y) * y

    compiled = tf.function(block)
    context.enable_run_metadata()
    try:
        with fusing_pointwise(fused):
            values = compiled(tf.reshape(x, (2, 8, 8, 3))).numpy()
        graphs = context.export_run_metadata().partition_graphs
    finally:
        context.disable_run_metadata()
    return Ran(values, {node.op for graph in graphs for node in graph.node})


def test_xla_runs_the_elementwise_operations_and_leaves_the_convolution():
    plain, fused = ran(False), ran(True)
    assert not any("Xla" in kind for kind in plain.operations)
    assert any("XlaRun" in kind for kind in fused.operations)
    assert any("Conv2D" in kind for kind in fused.operations)
    np.testing.assert_allclose(fused.values, plain.values, rtol=1e-5, atol=1e-6)


def test_nothing_is_fused_afterwards_not_even_after_an_error():
    with pytest.raises(RuntimeError), fusing_pointwise(True):
        raise RuntimeError
    assert not tf.config.optimizer.get_jit()


def test_flags_that_the_user_has_set_stay(monkeypatch):
    monkeypatch.setenv(FLAGS_VARIABLE, "--tf_xla_auto_jit=0")
    permit_pointwise_fusion()
    assert os.environ[FLAGS_VARIABLE] == "--tf_xla_auto_jit=0"
