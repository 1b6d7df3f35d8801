"""Speed of the multi-head UNet's training step in bfloat16 against float32, and works that take turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from pipeline.models.losses.segmentation import LOSS_WEIGHTS
from pipeline.models.stored_precision import computing_in
from pipeline.models.unet import build_unet
from pipeline.training.benchmarks.fits import measured
from pipeline.training.segmenter.pointwise_fusion import fusing_pointwise
from pipeline.training.segmenter.settings import Precision, SegmentationFit
from pipeline.training.segmenter.step import build_optimizer, training_step

CLASSES = 4
Name = TypeVar("Name")


def bench_train_step(batch: int = 16, size: int = 256, repeats: int = 3, **shape: Any) -> list[dict]:
    """One compiled training step in mixed_bfloat16 against the same in float32, in turns, plain and with fused pointwise.

    s07's step: forward and backward pass, both losses, gradient clipping and AdamW. Two rows, the second with
    ``fuse_pointwise`` on both sides. ``cost``: bfloat16's time over float32's, the inverse of ``ratio``. shape: of
    ``build_unet``, where another than the default is meant.
    """
    works = {
        (precision, fused): _training_step(precision, fused, batch, size, shape)
        for fused in (False, True)
        for precision in ("float32", "mixed_bfloat16")
    }
    times = rounds(works, repeats)
    rows = []
    for fused, words in ((False, ""), (True, ", fuse_pointwise")):
        reference = f"the same step in float32, batch {batch}, {size} px{words}"
        ours, bare = times["mixed_bfloat16", fused], times["float32", fused]
        row = measured(f"unet_step mixed_bfloat16{words}", reference, ours, bare, repeats)
        rows.append(row | {"cost": 1 / row["ratio"]})
    return rows


def rounds(works: Mapping[Name, Callable[[], object]], repeats: int) -> dict[Name, list[float]]:
    """Seconds of each, one after the other in every round, after one unmeasured round: load and drift hit all alike."""
    times: dict[Name, list[float]] = {name: [] for name in works}
    for turn in range(repeats + 1):
        for name, work in works.items():
            begun = time.perf_counter()
            work()
            if turn:
                times[name].append(time.perf_counter() - begun)
    return times


def _training_step(precision: Precision, fused: bool, batch: int, size: int, shape: Mapping[str, Any]) -> Callable[[], object]:
    """s07's own step on one batch that stays the same."""
    fit = SegmentationFit(precision=precision, batch_size=batch, fuse_pointwise=fused)
    with computing_in(precision):
        network = build_unet(CLASSES, **shape)
    step = training_step(network, build_optimizer(network, fit), LOSS_WEIGHTS)
    chance = np.random.default_rng(0)
    images = tf.constant(chance.random((batch, size, size, 1), np.float32))
    masks = tf.constant((chance.random((batch, size, size, 1)) < 0.5).astype(np.float32))
    classes = tf.constant(np.arange(batch) % CLASSES, tf.int32)
    ones = tf.ones(batch)

    def work() -> object:
        with fusing_pointwise(fused):
            return step(images, masks, classes, ones, ones).numpy()

    return work
