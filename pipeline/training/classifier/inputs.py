"""What a classifier's batches are made of: cached features, or stored scans that are augmented as they are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from pipeline.engine.arrays import read_selected
from pipeline.training.frozen_features import scaled
from pipeline.training.image_augmentation import AugmentationSettings, augment_batch


class ClassifierInputs(Protocol):
    """Batches by row number; ``block`` is how many rows an evaluation takes at once."""

    block: int

    def training(self, rows: np.ndarray, seed: int, epoch: int, first: int) -> np.ndarray:
        """float32 batch of ``rows``, the ``first``-th and following of an epoch, as the training sees them."""

    def evaluation(self, rows: np.ndarray) -> np.ndarray:
        """float32 batch of ``rows`` as they are."""


@dataclass(frozen=True)
class CachedFeatures:
    """Frozen features ``(V, N, F)`` float32 of V views of every scan; the first view is the scan itself.

    A training picks one view of each scan at random; an evaluation takes the first.
    """

    views: np.ndarray
    block: int = 1024

    def training(self, rows: np.ndarray, seed: int, epoch: int, first: int) -> np.ndarray:
        picked = np.random.default_rng([seed, epoch, first, 1]).integers(len(self.views), size=len(rows))
        return np.ascontiguousarray(self.views[picked, rows])

    def evaluation(self, rows: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(self.views[0, rows])


@dataclass(frozen=True)
class StoredScans:
    """Scans of a ``.npy`` file, uint8 ``(M, S, S)``; row i of the classifier is ``file_rows[i]`` of the file."""

    path: Path
    file_rows: np.ndarray
    augmentation: AugmentationSettings | None = None
    block: int = 32

    def training(self, rows: np.ndarray, seed: int, epoch: int, first: int) -> np.ndarray:
        pixels = read_selected(self.path, self.file_rows[rows])
        if self.augmentation is not None:
            pixels = augment_batch(pixels, self.augmentation, seed, epoch, first)
        return scaled(pixels)

    def evaluation(self, rows: np.ndarray) -> np.ndarray:
        return scaled(read_selected(self.path, self.file_rows[rows]))
