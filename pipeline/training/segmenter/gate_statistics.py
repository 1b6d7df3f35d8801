"""Frozen features of scans, as the X-ray gate of a run learns from them (`pipeline.data.gate.distance_fit`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import keras
import numpy as np

from pipeline.training.frozen_features import BATCH, compiled_forward, frozen_features, scaled


def _untracked(steps: Iterable, total: int) -> Iterable:
    return steps


def gate_features(
    backbone: keras.Model, pixels: Path | np.ndarray, track: Callable[[Iterable, int], Iterable] = _untracked
) -> np.ndarray:
    """Features (N, F) float32 of preprocessed scans, uint8 (N, S, S), in memory or in a ``.npy`` file.

    backbone: of ``build_gate_backbone``.
    """
    if isinstance(pixels, Path):
        blocks = list(frozen_features(backbone, pixels, track))
    else:
        forward = compiled_forward(backbone)
        starts = range(0, len(pixels), BATCH)
        blocks = [forward(scaled(pixels[start : start + BATCH])).numpy() for start in track(starts, len(starts))]
    return np.concatenate(blocks) if blocks else np.empty((0, backbone.output_shape[-1]), np.float32)
