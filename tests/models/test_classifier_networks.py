"""Classifiers on every kind of backbone: the documents' heads, the named places, the features behind the head."""

from __future__ import annotations

import importlib.util

import keras
import numpy as np
import pytest

from pipeline.engine.errors import ConfigError
from pipeline.models.classifier_networks import (
    Head,
    body_of,
    build_classifier,
    build_head,
    copy_head,
    feature_extractor,
    head_layers_of,
    set_feature_scaling,
)
from pipeline.models.stored_models import load_model, save_model

needs_keras_hub = pytest.mark.skipif(importlib.util.find_spec("keras_hub") is None, reason="keras-hub is not installed")


def head_parameters(width: int, classes: int) -> int:
    model = build_head(width, classes, Head())
    assert [layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)] == [512, classes]
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.parametrize(("backbone", "width", "size"), [
    ("ResNet50", 2048, 64), ("EfficientNetB4", 1792, 64), ("DenseNet121", 1024, 64), ("EfficientNetLite0", 1280, 64),
    ("ResNet18", 512, 64), pytest.param("ViTTiny16", 192, 32, marks=needs_keras_hub),
])  # fmt: skip
def test_the_documents_head_on_every_backbone(backbone, width, size):
    model = build_classifier(backbone, size, 2, Head(), "none")
    batch, height, across, channels = model.get_layer("feature_maps").output.shape
    assert (channels, height) == (width, across) and model.get_layer("pooled_features").output.shape == (None, width)
    assert model.output.shape == (None, 2) and model.input.shape == (None, size, size, 1) and model.input.name == "image"
    trained = sum(int(np.prod(w.shape)) for layer in head_layers_of(model) for w in layer.trainable_weights)
    assert trained == head_parameters(width, 2) == width * 512 + 512 + 512 * 2 + 2


def test_resnet50s_head_has_the_tabled_parameters():
    assert head_parameters(2048, 2) == 1_050_114


@pytest.fixture(scope="module")
def tapped():
    keras.utils.set_random_seed(1)
    head = Head(hidden=(8,), feature_dropout=0.3, standardize=True)
    return build_classifier("EfficientNetLite0", 64, 3, head, "none", taps=("block4_add", "block10_add"), seed=5)


def test_the_last_maps_channels_come_last_in_the_pooled_features(tapped):
    assert tapped.get_layer("pooled_features").output.shape == (None, 40 + 112 + 1280)
    image = np.random.default_rng(0).random((2, 64, 64, 1), dtype=np.float32)
    maps = keras.Model(tapped.input, tapped.get_layer("feature_maps").output)(image, training=False)
    features = np.asarray(feature_extractor(tapped)(image, training=False))
    np.testing.assert_allclose(features[:, -1280:], np.asarray(maps).mean(axis=(1, 2)), atol=1e-5)


def test_a_head_fitted_apart_answers_the_same_inside(tapped, tmp_path):
    image = np.random.default_rng(3).random((4, 64, 64, 1), dtype=np.float32)
    features = np.asarray(feature_extractor(tapped)(image, training=False))
    keras.utils.set_random_seed(9)
    head = build_head(features.shape[1], 3, Head(hidden=(8,), feature_dropout=0.3, standardize=True), seed=5)
    set_feature_scaling(head, features + np.float32(0.5))
    copy_head(head, tapped)
    expected = np.asarray(head(features, training=False))
    np.testing.assert_allclose(np.asarray(tapped(image, training=False)), expected, atol=1e-4)
    save_model(tapped, tmp_path / "c.weights.h5", tmp_path / "c.json")
    again = load_model(tmp_path / "c.weights.h5", tmp_path / "c.json")
    np.testing.assert_allclose(np.asarray(again(image)), expected, atol=1e-4)


def test_standardized_features_have_mean_zero_and_variance_one():
    features = np.random.default_rng(1).normal(3, 5, (400, 6)).astype(np.float32)
    features[:, 2] = 1.0
    head = build_head(6, 2, Head(hidden=(), standardize=True))
    set_feature_scaling(head, features)
    scaled = np.asarray(keras.Model(head.input, head.get_layer("feature_scaling").output)(features))
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(np.delete(scaled.std(axis=0), 2), 1, atol=1e-3)


def test_mixed_precision_keeps_pixels_and_logits_whole():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_classifier("EfficientNetLite0", 64, 2, Head(hidden=(4,)), "none")
    finally:
        keras.config.set_dtype_policy("float32")
    assert body_of(model).layers[1].compute_dtype == "bfloat16"
    logits = model(np.random.default_rng(0).random((2, 64, 64, 1), dtype=np.float32))
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert model.get_layer("input_scaling").compute_dtype == "float32"


@needs_keras_hub
def test_a_transformers_map_is_its_patches_in_their_places(tmp_path):
    keras.utils.set_random_seed(2)
    model = build_classifier("ViTTiny16", 64, 2, Head(hidden=()), "none")
    transformer = body_of(model).get_layer("vittiny16_tokens")
    image = np.random.default_rng(1).random((1, 64, 64, 3), dtype=np.float32)
    tokens, patches = np.asarray(transformer(image)), np.asarray(body_of(model)(image))
    assert tokens.shape == (1, 17, 192) and patches.shape == (1, 4, 4, 192)
    np.testing.assert_allclose(patches[0, 2, 3], tokens[0, 1 + 2 * 4 + 3], atol=1e-5)
    save_model(model, tmp_path / "v.weights.h5", tmp_path / "v.json")
    again = load_model(tmp_path / "v.weights.h5", tmp_path / "v.json")
    gray = image[..., :1]
    np.testing.assert_allclose(np.asarray(again(gray)), np.asarray(model(gray)), atol=1e-5)


@pytest.mark.parametrize(("arguments", "said"), [
    (("ResNet5", 64, 2, Head(), "none"), "ResNet50"),
    (("ResNet18", 64, 2, Head(), "imagenet"), "pth"),
    (("ResNet18", 64, 2, Head(), "none", ("layer1_0_ad",)), "layer1_0_add"),
    (("EfficientNetLite0", 64, 2, Head(), "none", ("block4_ad",)), "block4_add"),
    pytest.param(("ViTTiny16", 40, 2, Head(), "none"), "multiple", marks=needs_keras_hub),
])  # fmt: skip
def test_a_network_that_cannot_be_built_is_refused(arguments, said):
    with pytest.raises(ConfigError, match=said):
        build_classifier(*arguments)
