"""Frozen features of a classifier's scans, several views of each, computed once and kept against a kill."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import keras
import numpy as np

from pipeline.engine.arrays import ArrayWriter, read_selected
from pipeline.engine.files import move
from pipeline.training.frozen_features import compiled_forward, scaled
from pipeline.training.image_augmentation import AugmentationSettings, augment_batch

BLOCK = 32


def feature_views(
    extractor: keras.Model, pixels: Path, file_rows: np.ndarray, count: int, augmentation: AugmentationSettings, seed: int,
    folder: Path, track: Callable[[Iterable, int, str], Iterable] = lambda blocks, total, label: blocks,
) -> np.ndarray:  # fmt: skip
    """Features ``(V, N, F)`` float32 of the scan itself and of ``count − 1`` augmented copies of it.

    Copies may be made of every scan: which rows a training may see is for its caller to say.

    Args:
        extractor: ``image`` → features ``(B, F)``. pixels: ``.npy``, uint8 ``(M, S, S)``. file_rows: ``(N,)`` rows of it.
        seed: copy v of scan i draws from ``(seed, v, i)``. folder: keeps finished views.
    """
    forward = compiled_forward(extractor)
    return np.stack([
        np.load(_view_once(forward, extractor.output_shape[1:], pixels, file_rows, view, augmentation, seed, folder, track))
        for view in range(count)
    ])  # fmt: skip


def _view_once(forward, shape, pixels, file_rows, view, augmentation, seed, folder, track) -> Path:
    finished = folder / f"features_view_{view}.npy"
    if finished.exists():
        return finished
    unfinished = finished.with_suffix(".part")
    starts = range(0, len(file_rows), BLOCK)
    with ArrayWriter(unfinished, shape, "float32") as writer:
        for start in track(starts, len(starts), f"features, view {view + 1}"):
            scans = read_selected(pixels, file_rows[start : start + BLOCK])
            if view:
                scans = augment_batch(scans, augmentation, seed, view, start)
            writer.append(forward(scaled(scans)).numpy())
    move(unfinished, finished)
    return finished
