"""Grad-CAM of one scan through a bundle of the respiratory pipeline, from its graphs as they are."""

from __future__ import annotations

from functools import cache

import numpy as np

from pipeline.engine.arrays import Array
from pipeline.engine.errors import CorruptArtifactError
from pipeline.inference.activation.channel_gradients import channel_gradients
from pipeline.inference.activation.class_activation import at_size, grad_cam
from pipeline.inference.activation.graph_parts import GraphParts
from pipeline.inference.multitask.bundle import Embedder, MultitaskBundle
from pipeline.inference.opened_bundle import network_image
from pipeline.inference.sessions import Device, Graph

IMAGE, FEATURES = "image", "features"
ROLES = ("task", "shared")
POOL = "GlobalAveragePool"
TOLERANCE = 1e-3
# The networks are linear but for the corners of their leaky ReLUs, thousands of them: only a very short step meets few.
STEP = 0.0005


class ScanActivation:
    """Where a scan speaks for a class; opens each graph once."""

    def __init__(self, bundle: MultitaskBundle, step: float = STEP, device: Device = "auto") -> None:
        """step: of `channel_gradients`, small beside the spread that features have over scans."""
        self.bundle, self._step, self._device = bundle, step, device
        self._maps_part = cache(self._open_maps)
        self._logit_part = cache(self._open_logit)

    def activation(self, gray: Array, modality: str, named: str) -> Array:
        """uint8 (H, W) → float32 (H, W) in [0, 1]: Grad-CAM of a class's logit; of two classes the negative one's is the
        positive one's turned round.

        Both embedders' last stored maps count: each map is in units of the logit, and their sum is shown. Inner layers
        that an embedder taps beside the last are not shown.

        Raises CorruptArtifactError where a graph's features are not made of feature maps.
        """
        embedders = self.bundle.manifest.modalities[modality].embedders
        read = {role: self._read(gray, getattr(embedders, role)) for role in ROLES}
        features = {f"{role}_features": rows for role, (rows, _) in read.items()}
        total = np.zeros(gray.shape, np.float32)
        for role, (_, maps) in read.items():
            heat = self._heat(modality, f"{role}_features", features, maps, named)
            total += _resized(heat, gray.shape)
        return at_size(total, gray.shape)

    def _read(self, gray: Array, embedder: Embedder) -> tuple[Array, Array]:
        """Features (1, F) and the maps (h, w, C) that their last columns come from."""
        manifest = self.bundle.manifest
        image = network_image(gray, manifest.profiles[embedder.profile])
        features, *candidates = self._maps_part(embedder.backbone).run({IMAGE: image})
        for maps in candidates:
            for turned in (maps[0].transpose(1, 2, 0), maps[0]):
                if _ends_with(features[0], turned.mean(axis=(0, 1))) or _ends_with(features[0], turned.ravel()):
                    return features, turned
        raise CorruptArtifactError(
            f"{self.bundle.path / manifest.backbones[embedder.backbone].file}: its features end in no feature map.",
            "Export the bundle again.",
        )

    def _heat(self, modality: str, door: str, features: dict[str, Array], maps: Array, named: str) -> Array:
        """Grad-CAM (h, w) of one embedder; the other's features stay as they are."""
        part, own = self._logit_part(modality), features[door][0]
        pooled = _ends_with(own, maps.mean(axis=(0, 1)))
        place, sign = self._logit_of(named)

        def logit(moved: Array) -> Array:
            ends = moved.mean(axis=(1, 2)) if pooled else moved.reshape(len(moved), -1)
            rows = np.repeat(own[None], len(moved), axis=0)
            rows[:, -ends.shape[1] :] = ends
            feeds = {name: rows if name == door else np.repeat(given, len(moved), axis=0) for name, given in features.items()}
            return sign * part.run(feeds)[0][:, place].astype(np.float64)

        return grad_cam(maps, channel_gradients(logit, maps, self._step))

    def _logit_of(self, named: str) -> tuple[int, int]:
        """The column of a class's logit, and what it is to be multiplied by."""
        names = self.bundle.manifest.class_names
        return (names.index(named), 1) if len(names) > 2 else (0, 1 if named == self.bundle.manifest.positive_class else -1)

    def _open_maps(self, backbone: str) -> Graph:
        """The backbone with every tensor that can be its last maps: what is pooled, what is flattened."""
        parts = GraphParts(self.bundle.path / self.bundle.manifest.backbones[backbone].file, self._device)
        candidates = [node.input[0] for node in reversed(parts.nodes(POOL, "Reshape", "Flatten"))]
        return parts.part([IMAGE], [FEATURES, *dict.fromkeys(parts.maps_among(candidates))])

    def _open_logit(self, modality: str) -> Graph:
        """The network up to what its sigmoid or softmax reads: probabilities near 0 and 1 have no differences left."""
        parts = GraphParts(self.bundle.path / self.bundle.manifest.modalities[modality].network, self._device)
        probability = self.bundle.manifest.probability_output
        node = parts.maker_of(probability)
        while node is not None and node.op_type in ("Identity", "Squeeze", "Reshape"):
            node = parts.maker_of(node.input[0])
        if node is None or node.op_type not in ("Sigmoid", "Softmax"):
            raise CorruptArtifactError(f"{parts.path}: {probability} is no sigmoid or softmax.", "Export the bundle again.")
        return parts.part(parts.inputs, [node.input[0]])


def _ends_with(features: Array, end: Array) -> bool:
    size = max(1.0, float(np.abs(end).max())) if end.size else 1.0
    return end.size <= features.size and np.allclose(features[-end.size :], end, rtol=0, atol=TOLERANCE * size)


def _resized(heat: Array, shape: tuple[int, int]) -> Array:
    """A map (h, w) ≥ 0 at another size, its values kept."""
    highest = float(heat.max())
    return at_size(heat, shape) * np.float32(highest) if highest > 0 else np.zeros(shape, np.float32)
