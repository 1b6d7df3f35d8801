"""Speed of this pipeline's loops against the barest loop that does the same work, in one process, turn by turn."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import keras
import numpy as np
import psutil
import tensorflow as tf

from pipeline.data.scans import MODALITIES
from pipeline.engine.arrays import ArrayWriter
from pipeline.models import respiratory_networks as networks
from pipeline.models.backbones.construction import build_backbone
from pipeline.training.frozen_features import BATCH, compiled_forward, frozen_features, scaled
from pipeline.training.multitask.chain_training import ChainRecipe, train_chain_once
from pipeline.training.multitask.label_fit import Examples, fit_labels
from pipeline.training.multitask.recipes import EmbedderRecipe, HeadRecipe, Labelled, SharedRecipe, TaskRecipe
from pipeline.training.multitask.scan_pairs import Pairs, draw_pairs
from pipeline.training.settings import AdversarialSettings, FitSettings
from pipeline.training.trained_network import Workshop

FEATURES = 1280


def measured(name: str, reference: str, ours: list[float], bare: list[float], n: int) -> dict:
    """A row of ``bench --json`` from times in seconds of the same turns.

    ``ratio`` is the median over turns of bare time / our time: 1 = as fast as the reference, 0.5 = half as fast.
    """
    return {
        "name": name,
        "reference": reference,
        "ratio": median(b / o for o, b in zip(ours, bare, strict=True)),
        "median_ms": 1000 * median(ours),
        "reference_ms": 1000 * median(bare),
        "n": n,
    }


def in_turns(ours: Callable[[], object], bare: Callable[[], object], repeats: int) -> tuple[list[float], list[float]]:
    """Seconds of both, alternating and after one unmeasured call each, so that drift and load hit both alike."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(repeats + 1):
        for kept, work in zip(times, (ours, bare), strict=True):
            begun = time.perf_counter()
            work()
            if turn:
                kept.append(time.perf_counter() - begun)
    return times


def bench_embed(images: int = 512, size: int = 224, backbone_name: str = "EfficientNetLite0", repeats: int = 3) -> dict:
    """s02's features of stored uint8 images, to disk, against the same graph over float32 images in memory."""
    backbone = build_backbone(backbone_name, size)
    pixels = np.random.default_rng(0).integers(0, 256, (images, size, size), dtype=np.uint8)
    in_memory = scaled(pixels)
    forward = compiled_forward(backbone)
    with tempfile.TemporaryDirectory() as folder:
        stored, made = Path(folder, "pixels.npy"), Path(folder, "features.npy")
        np.save(stored, pixels)
        del pixels

        def ours() -> None:
            with ArrayWriter(made, backbone.output_shape[1:], "float32") as writer:
                for block in frozen_features(backbone, stored, lambda steps, total: steps):
                    writer.append(block)

        def bare() -> None:
            for start in range(0, images, BATCH):
                forward(tf.constant(in_memory[start : start + BATCH])).numpy()

        times = in_turns(ours, bare, repeats)
    return measured("embed", f"compiled {backbone_name} at {size} px over the same images in memory", *times, images)


def bench_fit(rows: int = 1024, epochs: int = 5, repeats: int = 3) -> dict:
    """The pipeline's fit of the X-ray task extractor against Keras's own ``fit`` of it: epochs, batch and rows alike."""
    inputs, labels = _separable(rows, 0)
    held = np.arange(rows * 3 // 4, rows)
    examples = Examples(inputs, labels, np.arange(rows * 3 // 4), held)
    settings = FitSettings(epochs=epochs, batch_size=64, learning_rate=1e-4, patience=epochs)

    def ours() -> None:
        fit_labels(networks.build_xray_task_extractor(), examples, settings, 0)

    def bare() -> None:
        model = networks.build_xray_task_extractor()
        model.compile(keras.optimizers.AdamW(1e-4, weight_decay=0.0), keras.losses.BinaryCrossentropy(from_logits=True))
        train, valid = examples.train, examples.valid
        checks = (inputs[valid], labels[valid])
        model.fit(inputs[train], labels[train], batch_size=64, epochs=epochs, validation_data=checks, verbose=0)

    return measured("fit", "Keras's own fit of the same network", *in_turns(ours, bare, repeats), rows)


def bench_chain(rows: int = 400, epochs: int = 8, repeats: int = 4) -> dict:
    """Seconds of one retraining of the whole chain, both variants, as s06 repeats it; there is nothing to compare it with.

    The first is not counted in ``median_ms`` (it compiles); ``first_ms`` is its own. ``growth_mib``: resident memory
    that each later retraining added.
    """
    features, scans, pairs, recipe = _chain(rows, epochs)
    seconds, held = [], []
    with tempfile.TemporaryDirectory() as folder:
        workshop = Workshop(0, "float16", Path(folder))
        for number in range(repeats):
            begun = time.perf_counter()
            train_chain_once(f"seed_{number}", features, scans, pairs, recipe, workshop)
            seconds.append(time.perf_counter() - begun)
            held.append(_resident_mib())
    growth = (held[-1] - held[0]) / (repeats - 1)
    return {"name": "chain", "reference": None, "ratio": None, "median_ms": 1000 * median(seconds[1:]),
            "first_ms": 1000 * seconds[0], "growth_mib": growth, "n": 2 * rows}  # fmt: skip


def _chain(rows: int, epochs: int) -> tuple[dict, dict, Pairs, ChainRecipe]:
    features, scans = {}, {}
    for number, modality in enumerate(MODALITIES):
        for role in ("task", "shared"):
            features[modality, role], labels = _separable(rows, number)
        scans[modality] = Labelled(labels, np.arange(rows * 3 // 4), np.arange(rows * 3 // 4, rows))
    pairs = draw_pairs(scans["xray"].labels, scans["ct"].labels, 0)
    split = np.where(np.arange(len(pairs)) < len(pairs) * 3 // 4, "train", "valid")
    fit = FitSettings(epochs=epochs, batch_size=64, learning_rate=1e-4, patience=epochs)
    duel = AdversarialSettings(epoch_budget=epochs, batch_size=64, learning_rate=1e-4, probe_every=epochs)
    recipe = ChainRecipe(
        EmbedderRecipe(fit=fit), TaskRecipe(fit=fit), SharedRecipe(fit=fit, adversarial=duel, finetune=fit), HeadRecipe(fit=fit),
        ("plain", "adversarial"),
    )  # fmt: skip
    return features, scans, Pairs(pairs, scans["xray"].labels[pairs[:, 0]], split), recipe


def _resident_mib() -> float:
    return psutil.Process().memory_info().rss / 2**20


def _separable(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features ``(rows, 1280)`` float32 that half tell their 0/1 labels."""
    chance = np.random.default_rng(seed)
    labels = (np.arange(rows) % 2).astype(np.int8)
    inputs = chance.normal(size=(rows, FEATURES)).astype(np.float32)
    inputs[:, :8] += labels[:, None]
    return inputs, labels
