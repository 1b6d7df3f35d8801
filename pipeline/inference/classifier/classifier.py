"""One scan through a classifier: class probabilities, features, and the heat map of a class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.engine.arrays import Array
from pipeline.inference.activation.class_activation import at_size, grad_cam, grad_cam_plus_plus
from pipeline.inference.answers import Answer
from pipeline.inference.bundle import load_bundle
from pipeline.inference.classifier.bundle import CLASSIFICATION, FEATURE_MAPS, FEATURES, GRADIENTS, ClassifierManifest
from pipeline.inference.opened_bundle import (
    IMAGE,
    OpenedBundle,
    batch_image,
    class_shares,
    finding_of,
    network_image,
    softmax,
)
from pipeline.inference.sessions import Device

BATCH = 16
METHODS: dict[str, Callable[[Array, Array], Array]] = {
    "gradcam": grad_cam,
    "gradcam_plus_plus": grad_cam_plus_plus,
}


class Classifier(OpenedBundle[ClassifierManifest]):
    """A classifier of images alone; its answers carry the features."""

    methods = tuple(METHODS)
    has_features = True

    def _answer(self, given: Mapping[str, Any], methods: tuple[str, ...]) -> Answer:
        manifest, gray = self.manifest, given[IMAGE].gray
        image = network_image(gray, manifest.profile)
        outputs = (CLASSIFICATION, FEATURES, *((FEATURE_MAPS, GRADIENTS) if methods else ()))
        found = dict(zip(outputs, self._sessions.run(manifest.network.file, {"image": image}, outputs), strict=True))
        shares = class_shares(found[CLASSIFICATION][0], manifest.class_names, self.path / manifest.network.file)
        best = manifest.decide(shares)
        activations = {
            method: at_size(METHODS[method](found[FEATURE_MAPS][0], found[GRADIENTS][0, best]), gray.shape) for method in methods
        }
        finding = finding_of(manifest, manifest.profile.modality, shares, activations)
        return Answer((finding,), features=found[FEATURES][0])

    def probabilities(self, pixels: Array, notes: Sequence[str | None] = ()) -> Array:
        """Class probabilities (n, K) float64 of scans that are preprocessed already: (n, S, S) uint8, as the network is fed."""
        file, rows = self.manifest.network.file, []
        for start in range(0, len(pixels), BATCH):
            images = batch_image(pixels[start : start + BATCH])
            rows += [softmax(logits) for logits in self._sessions.run(file, {"image": images}, (CLASSIFICATION,))[0]]
        return np.array(rows)


def open_classifier(path: Path, device: Device = "auto") -> Classifier:
    """See `pipeline.inference.bundle.open_bundle`."""
    return Classifier(load_bundle(path, ClassifierManifest), device)
