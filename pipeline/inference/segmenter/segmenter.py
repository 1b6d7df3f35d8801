"""One chest X-ray through a segmenter: lungs at the image's own size, and the diagnosis."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.data.masks.lung_components import lung_pieces
from pipeline.data.preprocessing import Profile, preprocess
from pipeline.engine.errors import CorruptArtifactError, DataError
from pipeline.inference.segmenter.bundle import SegmenterBundle
from pipeline.inference.segmenter.runtimes import SegmentationRuntime, run_mirrored, run_padded


@dataclass(frozen=True)
class Segmentation:
    """The answer for one image.

    lung_probs: (H, W) float32 in [0, 1] at the image's own size. lung_mask: (H, W) bool. class_probs: {class: [0, 1]},
    summing to 1. predicted: the class with the largest; confidence: that probability.
    """

    lung_probs: np.ndarray
    lung_mask: np.ndarray
    class_probs: dict[str, float]
    predicted: str
    confidence: float


class Segmenter:
    """A bundle on a runtime. The preprocessing is that of training."""

    def __init__(self, bundle: SegmenterBundle, runtime: SegmentationRuntime) -> None:
        self.bundle = bundle
        self._runtime = runtime

    def segment(self, gray: np.ndarray) -> Segmentation:
        """gray: uint8 (H, W), as `read_gray` gives it.

        Raises DataError where the network answers with no number, CorruptArtifactError where it has other classes.
        """
        manifest = self.bundle.manifest
        run = run_mirrored if manifest.mirror_average else run_padded
        lungs, logits = run(self._runtime, network_input(gray, manifest.profile))
        if logits.shape[-1] != len(manifest.class_names):
            raise CorruptArtifactError(
                f"{self.bundle.network_path}: the network tells {logits.shape[-1]} classes apart, its description names "
                f"{', '.join(manifest.class_names)}.",
                "Export it again.",
            )
        if not (np.isfinite(lungs).all() and np.isfinite(logits).all()):
            raise DataError("The network answered with values that are no numbers.", "Check the bundle with another image.")
        lung_probs = resized_back(lungs[0, ..., 0], gray.shape)
        lung_mask = lung_pieces(lung_probs >= manifest.threshold, manifest.lung_pieces)
        class_probs = softmax(logits[0])
        best = int(class_probs.argmax())
        by_class = dict(zip(manifest.class_names, map(float, class_probs), strict=True))
        return Segmentation(lung_probs, lung_mask, by_class, manifest.class_names[best], float(class_probs[best]))


def network_input(gray: np.ndarray, profile: Profile) -> np.ndarray:
    """uint8 (H, W) → float32 (1, size, size, 3) in [0, 1], three equal channels."""
    pixels = preprocess(gray, profile).astype(np.float32) / np.float32(255)
    return np.repeat(pixels[None, ..., None], 3, axis=-1)


def resized_back(lung_probs: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Probabilities (h, w) → float32 (H, W), bilinear: the threshold comes after, so the outline stays smooth."""
    height, width = shape
    return np.clip(cv2.resize(lung_probs.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR), 0, 1)


def softmax(logits: np.ndarray) -> np.ndarray:
    """(K,) logits → (K,) float64 probabilities."""
    powers = np.exp(logits.astype(np.float64) - float(logits.max()))
    return powers / powers.sum()
