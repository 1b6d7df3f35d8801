"""The reference runtime of a segmenter: its Keras network. Imported only when ``--runtime keras`` asks for it."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from pipeline.engine.errors import MissingArtifactError
from pipeline.inference.segmenter.bundle import SegmenterBundle
from pipeline.models.stored_models import load_model


class KerasRuntime:
    """A bundle's Keras network as a ``SegmentationRuntime``, compiled once a shape."""

    name = "keras"

    def __init__(self, bundle: SegmenterBundle) -> None:
        """Raises MissingArtifactError: the bundle has no Keras files; CorruptArtifactError: they do not fit each other."""
        files = bundle.manifest.keras
        if files is None:
            raise MissingArtifactError(
                f"{bundle.path} holds no Keras weights.", "Export it with --keras, or use --runtime onnx or openvino."
            )
        network = load_model(bundle.path / files.weights, bundle.path / files.architecture)
        self._forward = tf.function(lambda images: network(images, training=False), reduce_retracing=True)

    def run(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``(B, H, W, 3)`` float32 in [0, 1] → lungs ``(B, H, W, 1)``, class logits ``(B, K)``."""
        made = self._forward(tf.constant(images, tf.float32))
        return made["segmentation"].numpy(), made["classification"].numpy()
