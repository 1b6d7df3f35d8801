"""Grad-CAM of a segmenter's diagnosis, from its graph as it is: the decoded maps, and the head that reads their means."""

from __future__ import annotations

import numpy as np

from pipeline.engine.arrays import Array
from pipeline.engine.errors import UsageError
from pipeline.inference.activation.channel_gradients import channel_gradients
from pipeline.inference.activation.class_activation import at_size, grad_cam
from pipeline.inference.activation.graph_parts import GraphParts, keeps_axes
from pipeline.inference.segmenter.bundle import CLASSIFICATION, SegmenterBundle, network_path
from pipeline.inference.segmenter.segmenter import network_input
from pipeline.inference.sessions import Device

# The mean over the sides of maps: its own operation with channels first, else, and as exports of opset 18 have it, one over axes.
POOL, REDUCED = "GlobalAveragePool", "ReduceMean"
FIRST, LAST = (2, 3), (1, 2)
# The head is linear but for the corners of its ReLUs: a short step meets few of them.
STEP = 0.003


class SegmenterActivation:
    """The two parts of a bundle's graph: image → decoded maps, and their means → class logits."""

    def __init__(self, bundle: SegmenterBundle, device: Device = "auto") -> None:
        """Raises UsageError where no mean over the decoded maps leads to the classes; CorruptArtifactError: no graph."""
        self.bundle = bundle
        parts = GraphParts(network_path(bundle), device)
        means = [(node, FIRST if node.op_type == POOL else parts.axes_of(node)) for node in parts.nodes(POOL, REDUCED)]
        pools = [(node, sides) for node, sides in means if sides in (FIRST, LAST)]
        if len(pools) != 1:
            raise UsageError(
                f"{parts.path}: {len(pools)} nodes {POOL}, or {REDUCED} over both sides; one has to make the head's means.",
                "Export the network with this program.",
            )
        pool, sides = pools[0]
        self._door, self._means = parts.inputs[0], pool.output[0]
        self._last, self._kept = sides == LAST, keeps_axes(pool)
        self._maps_of = parts.part([self._door], [pool.input[0]])
        self._head = parts.part([self._means], [CLASSIFICATION])

    def activation(self, gray: Array, class_name: str) -> Array:
        """uint8 (H, W) → float32 (H, W) in [0, 1]: where the scan speaks for a class of the bundle.

        Within about 0.02 of the map that automatic differentiation gives: differences of float32 logits are taken.
        """
        index = self.bundle.manifest.class_names.index(class_name)
        image = network_input(gray, self.bundle.manifest.profile)
        if self.bundle.manifest.network.layout == "NCHW":
            image = image.transpose(0, 3, 1, 2)
        maps = self._maps_of.run({self._door: np.ascontiguousarray(image)})[0][0]
        maps = maps if self._last else maps.transpose(1, 2, 0)

        def logit(means: Array) -> Array:
            if self._kept:
                means = means[:, None, None, :] if self._last else means[:, :, None, None]
            return self._head.run({self._means: means})[0][:, index].astype(np.float64)

        return at_size(grad_cam(maps, channel_gradients(logit, maps.mean(axis=(0, 1)), STEP)), gray.shape)
