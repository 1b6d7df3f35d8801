"""Grad-CAM of a bundle's graphs against automatic differentiation through the Keras networks of the same run."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.data.preprocessing import preprocess
from pipeline.engine.errors import CorruptArtifactError
from pipeline.inference.activation.class_activation import at_size
from pipeline.inference.bundle import open_bundle
from pipeline.inference.multitask.activation import ScanActivation


def by_tape(folder, bundle, modality: str, gray, positive: bool) -> np.ndarray:
    import keras
    import tensorflow as tf

    from pipeline.models.grad_cam import grad_cam
    from pipeline.models.respiratory_networks import features_of
    from pipeline.models.stored_models import load_model

    def network(name):
        return load_model(folder / "keras" / f"{name}.weights.h5", folder / "keras" / f"{name}.json")

    embedders, maps = bundle.manifest.modalities[modality].embedders, {}
    for role in ("task", "shared"):
        embedder = getattr(embedders, role)
        backbone = network(f"backbone_{embedder.backbone}")
        pixels = preprocess(gray, bundle.manifest.profiles[embedder.profile]).astype(np.float32) / np.float32(255)
        front = keras.Model(backbone.input, backbone.get_layer("pool").input)
        maps[role] = tf.convert_to_tensor(front(pixels[None, ..., None], training=False))
    extractors = {"task": f"task_extractor_{modality}", "shared": f"shared_{bundle.manifest.variant}"}
    with tf.GradientTape() as tape:
        tape.watch(list(maps.values()))
        halves = [
            features_of(network(extractors[role]))(features_of(network(f"embedder_{modality}_{role}"))(tf.reduce_mean(m, (1, 2))))
            for role, m in maps.items()
        ]
        logit = network(f"head_{modality}")(tf.concat(halves, 1))[:, 0] * (1 if positive else -1)
    total = np.zeros(gray.shape, np.float32)
    for m, gradient in zip(maps.values(), tape.gradient(logit, list(maps.values())), strict=True):
        heat = grad_cam(m.numpy(), gradient.numpy())[0]
        total += at_size(heat, gray.shape) * heat.max()
    return at_size(total, gray.shape)


@pytest.mark.parametrize("modality", ["xray", "ct"])
@pytest.mark.parametrize("positive", [True, False])
def test_the_map_is_that_of_the_tape(bundle, modality, positive):
    opened = open_bundle(bundle)
    gray = np.random.default_rng(8).integers(0, 256, (40, 56), dtype=np.uint8)
    found = ScanActivation(opened, step=5e-5).activation(gray, modality, "COVID" if positive else "Non_COVID")
    expected = by_tape(bundle, opened, modality, gray, positive)
    # Untrained networks on features that hardly differ: maps nearly cancel, so their shape is compared.
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.95


def test_features_that_are_no_means_of_maps(tmp_path):
    import sys
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
    from tiny_bundle import write_bundle

    opened = open_bundle(write_bundle(tmp_path / "rows"))
    with pytest.raises(CorruptArtifactError, match="end in no feature map"):
        ScanActivation(opened).activation(np.zeros((32, 32), np.uint8), "xray", "COVID")
