"""Speed of the multi-head UNet's training step in bfloat16 against float32, and works that take turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.models.segmentation_losses import LOSS_WEIGHTS
from pipeline.models.unet import build_unet
from pipeline.training.benchmarks import measured
from pipeline.training.segmentation_settings import SegmentationFit
from pipeline.training.segmentation_step import build_optimizer, computing_in, training_step

CLASSES = 4


def bench_train_step(batch: int = 16, size: int = 256, repeats: int = 3, **shape: Any) -> list[dict]:
    """One compiled training step in mixed_bfloat16 against the same in float32, in turns.

    s07's step: forward and backward pass, both losses, gradient clipping and AdamW. ``cost``: bfloat16's time over
    float32's, the inverse of ``ratio``. shape: of ``build_unet``, where another than the default is meant.
    """
    works = {policy: _training_step(policy, batch, size, shape) for policy in ("float32", "mixed_bfloat16")}
    times = rounds(works, repeats)
    reference = f"the same step in float32, batch {batch}, {size} px"
    row = measured("unet_step mixed_bfloat16", reference, times["mixed_bfloat16"], times["float32"], repeats)
    return [row | {"cost": 1 / row["ratio"]}]


def rounds(works: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each, one after the other in every round, after one unmeasured round: load and drift hit all alike."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repeats + 1):
        for name, work in works.items():
            begun = time.perf_counter()
            work()
            if turn:
                times[name].append(time.perf_counter() - begun)
    return times


def _training_step(policy: str, batch: int, size: int, shape: Mapping[str, Any]) -> Callable[[], object]:
    """s07's own step on one batch that stays the same."""
    fit = SegmentationFit(precision=policy, batch_size=batch)
    with computing_in(policy):
        network = build_unet(CLASSES, **shape)
    step = training_step(network, build_optimizer(network, fit), LOSS_WEIGHTS)
    chance = np.random.default_rng(0)
    images = tf.constant(chance.random((batch, size, size, 1), np.float32))
    masks = tf.constant((chance.random((batch, size, size, 1)) < 0.5).astype(np.float32))
    classes = tf.constant(np.arange(batch) % CLASSES, tf.int32)
    ones = tf.ones(batch)
    return lambda: step(images, masks, classes, ones, ones).numpy()
