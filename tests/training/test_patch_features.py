"""Patches of any backbone are its last feature map, row by row."""

from __future__ import annotations

import importlib.util

import keras
import numpy as np
import pytest

from pipeline.models.backbones.construction import build_body
from pipeline.training.vision_text.patch_features import build_patch_network

needs_keras_hub = pytest.mark.skipif(importlib.util.find_spec("keras_hub") is None, reason="keras-hub is not installed")


@pytest.mark.parametrize(("name", "side", "width"), [
    ("EfficientNetLite0", 2, 1280), ("ResNet18", 2, 512), pytest.param("ViTTiny16", 4, 192, marks=needs_keras_hub),
])  # fmt: skip
def test_patches_are_the_last_map(name, side, width):
    keras.utils.set_random_seed(1)
    network = build_patch_network(name, 64, "none", "float32")
    keras.utils.set_random_seed(1)
    body, scaling = build_body(name, 64, "none")
    image = np.random.default_rng(0).random((2, 64, 64, 1), dtype=np.float32)
    maps = np.asarray(body(scaling(image), training=False))
    assert maps.shape == (2, side, side, width)
    np.testing.assert_allclose(np.asarray(network(image)), maps.reshape(2, side * side, width), atol=1e-5)
