"""Backbones by name: each module's own input scaling, pooled taps, and near misses."""

from __future__ import annotations

import importlib.util
import sys

import keras
import numpy as np
import pytest

from pipeline.engine.errors import ConfigError, CorruptArtifactError
from pipeline.models.backbones.construction import build_backbone, build_body, scaling_of
from pipeline.models.backbones.names import BACKBONES, feature_key, require_backbone
from pipeline.models.stored_models import load_model, save_model


@pytest.mark.parametrize("name", ["ResNet50", "ResNet50V2", "EfficientNetB0", "DenseNet121"])
def test_scaling_is_the_modules_own(name):
    preprocess = sys.modules[getattr(keras.applications, name).__module__].preprocess_input
    pixels = np.random.default_rng(1).integers(0, 256, (2, 5, 4, 3)).astype(np.float32)
    ours = np.asarray(scaling_of(preprocess)(pixels / 255))
    np.testing.assert_allclose(ours, np.asarray(preprocess(pixels.copy())), atol=1e-3)
    gray = pixels[..., :1]
    ours = np.asarray(scaling_of(preprocess)(gray / 255))
    np.testing.assert_allclose(ours, np.asarray(preprocess(np.repeat(gray, 3, axis=-1))), atol=1e-3)


def test_every_tabled_name_is_a_keras_application():
    applications = [name for name, backbone in BACKBONES.items() if backbone.family == "application"]
    assert len(applications) == 40 and [name for name in applications if not hasattr(keras.applications, name)] == []


@pytest.fixture(scope="module")
def tapped():
    keras.utils.set_random_seed(3)
    return build_backbone("EfficientNetLite0", 64, "none", taps=("block4_add", "block10_add"))


def test_taps_are_pooled_side_by_side_and_the_last_map_comes_last(tapped):
    assert tapped.output_shape == (None, 40 + 112 + 1280) and not tapped.trainable_weights
    image = np.random.default_rng(2).random((3, 64, 64, 1), dtype=np.float32)
    features = np.asarray(tapped(image))
    body = tapped.get_layer("efficientnetlite0")
    maps = body(tapped.get_layer("input_scaling")(image), training=False)
    expected = np.concatenate([np.asarray(feature_map).mean(axis=(1, 2)) for feature_map in maps], axis=1)
    np.testing.assert_allclose(features, expected, atol=1e-5)


def test_mirrored_features_are_the_mean_of_both_views(tapped, tmp_path):
    keras.utils.set_random_seed(3)
    both = build_backbone("EfficientNetLite0", 64, "none", taps=("block4_add", "block10_add"), mirrored=True)
    image = np.random.default_rng(2).random((3, 64, 64, 1), dtype=np.float32)
    one_by_one = np.asarray(tapped(image)), np.asarray(tapped(image[:, :, ::-1]))
    assert not np.allclose(*one_by_one, rtol=0.01, atol=0)  # unlike a symmetric network's
    np.testing.assert_allclose(np.asarray(both(image)), np.mean(one_by_one, axis=0), rtol=1e-3, atol=1e-9)
    save_model(both, tmp_path / "b.weights.h5", tmp_path / "b.json")
    restored = load_model(tmp_path / "b.weights.h5", tmp_path / "b.json")
    np.testing.assert_array_equal(np.asarray(restored(image)), np.asarray(both(image)))


def test_a_backbone_survives_its_two_files(tapped, tmp_path):
    files = tmp_path / "b.weights.h5", tmp_path / "b.json"
    save_model(tapped, *files)
    image = np.random.default_rng(2).random((1, 64, 64, 1), dtype=np.float32)
    np.testing.assert_array_equal(np.asarray(load_model(*files)(image)), np.asarray(tapped(image)))
    files[0].write_bytes(files[0].read_bytes()[:1000])
    with pytest.raises(CorruptArtifactError, match=r"b\.weights\.h5"):
        load_model(*files)


needs_keras_hub = pytest.mark.skipif(importlib.util.find_spec("keras_hub") is None, reason="keras-hub is not installed")


@pytest.mark.parametrize(("name", "tap", "width", "white"), [
    ("ResNet18", "layer1_0_add", 64 + 512, (1 - 0.485) / 0.229),
    pytest.param("ViTTiny16", "without_class_token", None, 1.0, marks=needs_keras_hub),
])  # fmt: skip
def test_every_family_gives_pooled_features_of_its_own_scaling(name, tap, width, white, tmp_path):
    keras.utils.set_random_seed(5)
    network = build_backbone(name, 64, "none", (tap,) if width else ())
    assert network.output_shape == (None, width or 192) and not network.trainable_weights
    image = np.random.default_rng(3).random((2, 64, 64, 1), dtype=np.float32)
    scaled = np.asarray(network.get_layer("input_scaling")(np.ones_like(image)))
    assert scaled.shape == (2, 64, 64, 3) and scaled[0, 0, 0, 0] == pytest.approx(white, rel=1e-5)
    save_model(network, tmp_path / "b.weights.h5", tmp_path / "b.json")
    again = load_model(tmp_path / "b.weights.h5", tmp_path / "b.json")
    np.testing.assert_array_equal(np.asarray(again(image)), np.asarray(network(image)))


def test_a_backbones_own_weight_file_is_read_and_another_networks_refused(tmp_path):
    keras.utils.set_random_seed(6)
    body, _ = build_body("ResNet18", 32, "none")
    body.save_weights(tmp_path / "r.weights.h5")
    again, _ = build_body("ResNet18", 32, tmp_path / "r.weights.h5")
    for mine, theirs in zip(body.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    with pytest.raises(CorruptArtifactError, match="torn.weights.h5 does not fit ResNet18"):
        (tmp_path / "torn.weights.h5").write_bytes(b"torn")
        build_body("ResNet18", 32, tmp_path / "torn.weights.h5")


def test_near_misses_are_named():
    with pytest.raises(ConfigError, match="Did you mean 'ResNet50V2'"):
        require_backbone("Resnet50v2")
    with pytest.raises(ConfigError, match="Did you mean 'EfficientNetLite0'"):
        build_backbone("EfficientnetLite0", 64, "none")
    with pytest.raises(ConfigError, match="Did you mean 'block4_add'"):
        build_backbone("EfficientNetLite0", 64, "none", taps=("block_4_add",))


def test_an_application_whose_weight_file_is_absent(tmp_path):
    with pytest.raises(ConfigError, match="weights .* of MobileNetV2 could not be loaded"):
        build_backbone("MobileNetV2", 64, tmp_path / "absent.weights.h5")


def test_equal_features_share_a_key():
    assert feature_key("ResNet50", "plain", "imagenet", ()) == "ResNet50_plain"
    keys = {feature_key("ResNet50", "plain", weights, taps) for weights in ("imagenet", "none", "a.h5") for taps in ((), ("x",))}
    assert len(keys) == 6
    assert feature_key("ResNet50", "plain", "imagenet", (), mirrored=True) == "ResNet50_plain_mirrored"
    assert BACKBONES["NASNetLarge"].minimum_size == 331 and BACKBONES["EfficientNetLite0"].minimum_size == 32
