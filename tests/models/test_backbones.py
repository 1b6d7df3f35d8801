"""Backbones by name: each module's own input scaling, pooled taps, and near misses."""

from __future__ import annotations

import sys

import keras
import numpy as np
import pytest

from pipeline.engine.errors import ConfigError, CorruptArtifactError
from pipeline.models.backbones.construction import build_backbone, scaling_of
from pipeline.models.backbones.names import KERAS_SIZES, feature_key, minimum_size, require_backbone
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
    assert [name for name in KERAS_SIZES if not hasattr(keras.applications, name)] == []


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
    assert minimum_size("NASNetLarge") == 331 and minimum_size("EfficientNetLite0") == 32
