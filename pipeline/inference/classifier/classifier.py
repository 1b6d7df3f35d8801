"""One scan through a classifier: class probabilities, features, and the heat map of a class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.data.preprocessing import preprocess
from pipeline.engine.errors import CorruptArtifactError, DataError
from pipeline.inference.activation.class_activation import at_size, grad_cam, grad_cam_plus_plus
from pipeline.inference.classifier.bundle import CLASSIFICATION, FEATURE_MAPS, FEATURES, GRADIENTS, ClassifierBundle
from pipeline.inference.segmenter.segmenter import softmax
from pipeline.inference.sessions import Sessions

BATCH = 16
METHODS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "gradcam": grad_cam,
    "gradcam_plus_plus": grad_cam_plus_plus,
}


@dataclass(frozen=True)
class Classification:
    """The answer for one scan.

    class_probs: {class: [0, 1]}, summing to 1. predicted: by the bundle's threshold where it names a positive class of
    two, else the most probable. confidence: the probability of the class that was named; below 0.5 where a threshold of
    less than 0.5 named it. features: (F,) float32. activations: {method: (H, W) float32 in [0, 1]} of the class that was
    named, at the scan's own size.
    """

    class_probs: dict[str, float]
    predicted: str
    confidence: float
    features: np.ndarray
    activations: dict[str, np.ndarray]


class Classifier:
    """A bundle on onnxruntime. The preprocessing is that of training."""

    def __init__(self, bundle: ClassifierBundle) -> None:
        self.bundle = bundle
        self._sessions = Sessions(bundle)

    def classify(self, gray: np.ndarray, methods: tuple[str, ...] = ()) -> Classification:
        """gray: uint8 (H, W), as `read_gray` gives it. methods: of METHODS, the heat maps wanted.

        Raises DataError where the network answers with no number, CorruptArtifactError where the graph does not fit.
        """
        manifest = self.bundle.manifest
        image = (preprocess(gray, manifest.profile).astype(np.float32) / np.float32(255))[None, ..., None]
        outputs = (CLASSIFICATION, FEATURES, *((FEATURE_MAPS, GRADIENTS) if methods else ()))
        found = dict(zip(outputs, self._sessions.run(manifest.network.file, {"image": image}, outputs), strict=True))
        logits = found[CLASSIFICATION]
        if logits.shape[-1] != len(manifest.class_names):
            raise CorruptArtifactError(
                f"{self.bundle.path / manifest.network.file}: the network tells {logits.shape[-1]} classes apart, its "
                f"description names {', '.join(manifest.class_names)}.",
                "Export it again.",
            )
        if not np.isfinite(logits).all():
            raise DataError("The network answered with values that are no numbers.", "Check the bundle with another image.")
        probs = softmax(logits[0])
        best = self.decide(probs)
        activations = {
            method: at_size(METHODS[method](found[FEATURE_MAPS][0], found[GRADIENTS][0, best]), gray.shape) for method in methods
        }
        by_class = dict(zip(manifest.class_names, map(float, probs), strict=True))
        return Classification(by_class, manifest.class_names[best], float(probs[best]), found[FEATURES][0], activations)

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Class probabilities (n, K) float64 of scans that are preprocessed already: (n, S, S) uint8, as the network is fed."""
        file, rows = self.bundle.manifest.network.file, []
        for start in range(0, len(pixels), BATCH):
            images = pixels[start : start + BATCH, ..., None].astype(np.float32) / np.float32(255)
            rows += [softmax(logits) for logits in self._sessions.run(file, {"image": images}, (CLASSIFICATION,))[0]]
        return np.array(rows)

    def decide(self, probs: np.ndarray) -> int:
        """Index of the class that (K,) probabilities name."""
        manifest = self.bundle.manifest
        if manifest.positive_class is None:
            return int(probs.argmax())
        positive = manifest.class_names.index(manifest.positive_class)
        return positive if probs[positive] >= manifest.threshold else 1 - positive
