"""The scans that a segmenter learns from and is judged on, at one size."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from pipeline.models.losses.segmentation import balanced_class_weights


@dataclass(frozen=True)
class SegmentationRows:
    """Scans, masks and classes of all rows, the rows to learn from and those that choose the epoch.

    images, masks: ``(N, S, S)`` uint8, arrays or memory maps, masks of 0 and 1. class_index: ``(N,)`` int64.
    has_mask: ``(N,)`` bool. rows: ``(n,)`` where each scan stands in images and masks. train, valid: positions in rows.
    """

    images: np.ndarray
    masks: np.ndarray
    rows: np.ndarray
    class_index: np.ndarray
    has_mask: np.ndarray
    train: np.ndarray
    valid: np.ndarray
    class_count: int

    @property
    def image_size(self) -> int:
        return self.images.shape[1]

    def at_size(self, size: int) -> SegmentationRows:
        """The same scans averaged over areas to a smaller side, their masks by the nearest pixel; only the used rows."""
        if size == self.image_size:
            return self
        images, masks = (np.empty((len(self.rows), size, size), np.uint8) for _ in range(2))
        for place, row in enumerate(self.rows):
            images[place] = cv2.resize(self.images[row], (size, size), interpolation=cv2.INTER_AREA)
            masks[place] = cv2.resize(self.masks[row], (size, size), interpolation=cv2.INTER_NEAREST)
        return replace(self, images=images, masks=masks, rows=np.arange(len(self.rows)))

    def pixels(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scans and masks ``(n, S, S)`` uint8 of these positions."""
        rows = self.rows[positions]
        return np.asarray(self.images[rows]), np.asarray(self.masks[rows])

    def class_weights(self, kind: str) -> np.ndarray | None:
        """``(K,)`` float32 that the training part asks for, None where every class counts alike."""
        return balanced_class_weights(self.class_index[self.train], self.class_count) if kind == "balanced" else None

    @property
    def validation_has_masks(self) -> bool:
        """Whether any validation scan has a mask, so that outlines can choose the epoch."""
        return bool(self.has_mask[self.valid].any())

    def training_images(self, count: int) -> np.ndarray:
        """Training scans spread over all, as the network sees them: float32 ``(n, S, S, 3)`` in [0, 1], n up to ``count``."""
        chosen = self.train[np.linspace(0, len(self.train) - 1, min(count, len(self.train))).astype(int)]
        images, _ = self.pixels(chosen)
        return np.repeat(images[..., None].astype(np.float32) / np.float32(255), 3, axis=-1)
