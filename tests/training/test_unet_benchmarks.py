"""The UNet's benchmarks: every work takes its turn, and the rows have the project's form."""

from __future__ import annotations

import keras
import pytest
import tensorflow as tf

from pipeline.training.benchmarks.unet_step import bench_train_step, rounds

SHAPE = {"channels": (4, 8), "strides": (2,), "decoded_channels": 4}


def test_all_take_turns_after_one_unmeasured_round():
    order = []
    times = rounds({name: lambda name=name: order.append(name) for name in "abc"}, repeats=2)
    assert order == list("abc") * 3 and {name: len(seconds) for name, seconds in times.items()} == dict.fromkeys("abc", 2)


@pytest.fixture
def eager():
    """XLA compiles for half a minute what runs for a moment; whether it is asked to is told all the same."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_the_training_step_leaves_the_process_in_its_precision_and_unfused(eager):
    rows = bench_train_step(batch=2, size=16, repeats=1, **SHAPE)
    assert [["fuse_pointwise" in row[words] for words in ("name", "reference")] for row in rows] == [[False] * 2, [True] * 2]
    assert all(row["cost"] == pytest.approx(row["median_ms"] / row["reference_ms"]) for row in rows)
    assert all("float32" in row["reference"] for row in rows)
    assert keras.config.dtype_policy().name == "float32" and not tf.config.optimizer.get_jit()
