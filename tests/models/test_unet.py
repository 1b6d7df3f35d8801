"""The multi-head UNet: its parameters as tabled, its sizes, its names, and its two files."""

from __future__ import annotations

import json
import math

import keras
import numpy as np
import pytest
from keras import layers

from pipeline.engine.errors import ConfigError
from pipeline.models.stored_models import load_model, save_model
from pipeline.models.unet import backbone_of, build_unet, part_of

REDUCED = {"channels": (4, 8), "strides": (2,), "decoded_channels": 4}
IMAGES = np.random.default_rng(0).uniform(0, 1, (2, 8, 12, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def full_size():
    return build_unet(image_size=256)


@pytest.fixture
def reduced():
    keras.utils.set_random_seed(7)
    return build_unet(**REDUCED)


def trainable_count(layer) -> int:
    return sum(math.prod(weight.shape) for weight in layer.trainable_weights)


def test_trainable_parameters_as_tabled(full_size):
    counted = dict.fromkeys(("backbone", "segmentation_head", "classification_head", ""), 0)
    for layer in full_size.layers:
        counted[part_of(layer.name)] += trainable_count(layer)
    segmentation = (9 * 64 * 32 + 32) + 2 * 32 + (32 + 1)
    classification = (64 * 256 + 256) + 2 * 256 + (256 * 128 + 128) + 2 * 128 + (128 * 4 + 4)
    assert counted == {
        "backbone": 6_574_129, "segmentation_head": segmentation, "classification_head": classification, "": 0
    }  # fmt: skip
    assert trainable_count(full_size) == 6_643_510
    assert trainable_count(backbone_of(full_size)) == 6_574_129


def test_each_level_halves_and_the_bottom_keeps_its_size(full_size):
    shapes = {layer.name: layer.output.shape[1:] for layer in full_size.layers if layer.name.endswith("_add")}
    assert shapes == {
        "backbone_level0_down_add": (128, 128, 32),
        "backbone_level1_down_add": (64, 64, 64),
        "backbone_level2_down_add": (32, 32, 128),
        "backbone_level3_down_add": (16, 16, 256),
        "backbone_level4_bottom_add": (16, 16, 512),
        "backbone_level3_up_add": (32, 32, 128),
        "backbone_level2_up_add": (64, 64, 64),
        "backbone_level1_up_add": (128, 128, 32),
        "backbone_level0_up_add": (256, 256, 64),
    }


def test_normalisation_and_activation_as_in_pytorch(full_size):
    norms = [layer for layer in full_size.layers if isinstance(layer, layers.BatchNormalization)]
    slopes = [layer for layer in full_size.layers if isinstance(layer, layers.PReLU)]
    assert len(norms) == 17 + 1 + 2 and len(slopes) == 17
    assert {(norm.epsilon, norm.momentum) for norm in norms} == {(1e-5, 0.9)}
    assert all(trainable_count(slope) == 1 and np.ravel(slope.alpha) == 0.25 for slope in slopes)
    rates = [layer.rate for layer in full_size.layers if isinstance(layer, layers.Dropout)]
    assert sorted(rates) == [0.1] * 17 + [0.2, 0.3, 0.5]


def test_outputs_of_any_size(reduced):
    answered = reduced(IMAGES, training=False)
    assert reduced.input.name == "image" and list(answered) == ["segmentation", "classification"]
    segmentation, classification = (np.asarray(answered[name]) for name in ("segmentation", "classification"))
    assert segmentation.shape == (2, 8, 12, 1) and segmentation.dtype == np.float32
    assert classification.shape == (2, 4) and classification.dtype == np.float32
    assert 0 < segmentation.min() < segmentation.max() < 1
    assert backbone_of(reduced)(IMAGES).shape == (2, 8, 12, 4)


@pytest.mark.parametrize("name", ["unit0_conv", "shortcut"])
def test_a_strided_convolution_reads_the_image_padded_by_one_on_every_side(reduced, name):
    convolution = reduced.get_layer(f"backbone_level0_down_{name}")
    image = IMAGES[:1, :4, :6]
    answered = np.asarray(convolution(reduced.get_layer("backbone_level0_down_pad")(image)))[0]
    padded = np.pad(image[0], ((1, 1), (1, 1), (0, 0)))
    kernel, bias = (np.asarray(weight) for weight in convolution.weights)
    expected = [
        [np.tensordot(padded[row : row + 3, column : column + 3], kernel, 3) + bias for column in (0, 2, 4)] for row in (0, 2)
    ]
    np.testing.assert_allclose(answered, expected, atol=1e-5)


def test_a_transposed_convolution_keeps_the_end_and_cuts_the_start(reduced):
    """One lit pixel at row 1: PyTorch's padding 1, output padding 1 put kernel row k at 2 · 1 - 1 + k."""
    transposed, crop = (reduced.get_layer(f"backbone_level0_up_{role}") for role in ("transposed", "crop"))
    lit = np.zeros((1, 3, 3, transposed.input.shape[-1]), np.float32)
    lit[0, 1, 1, 0] = 1
    answered = np.asarray(crop(transposed(lit)))[0]
    expected = np.zeros((6, 6, 4), np.float32)
    expected[1:4, 1:4] = np.asarray(transposed.kernel)[:, :, :, 0]
    np.testing.assert_allclose(answered, expected, atol=1e-6)


def test_outputs_stay_float32_under_mixed_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        answered = build_unet(**REDUCED)(IMAGES)
    finally:
        keras.config.set_dtype_policy(before)
    assert {keras.backend.standardize_dtype(output.dtype) for output in answered.values()} == {"float32"}


def test_dropout_acts_only_in_training(reduced):
    still = [np.asarray(reduced(IMAGES, training=False)["classification"]) for _ in range(2)]
    drawn = [np.asarray(reduced(IMAGES, training=True)["classification"]) for _ in range(2)]
    np.testing.assert_array_equal(*still)
    assert not np.allclose(*drawn)
    seeds = [layer.seed for layer in reduced.layers if isinstance(layer, layers.Dropout)]
    assert len(set(seeds)) == len(seeds) == 8


def test_stored_and_loaded_it_answers_the_same(reduced, tmp_path):
    save_model(reduced, tmp_path / "unet.weights.h5", tmp_path / "unet.json")
    loaded = load_model(tmp_path / "unet.weights.h5", tmp_path / "unet.json")
    for name, expected in reduced(IMAGES, training=False).items():
        np.testing.assert_array_equal(loaded(IMAGES, training=False)[name], expected)
    architecture = json.loads((tmp_path / "unet.json").read_text())
    stored = {(layer["module"], layer["registered_name"]) for layer in architecture["config"]["layers"]}
    assert {name for _, name in stored} == {None} and {module for module, _ in stored} <= {"keras.layers"}
    assert part_of("image") == "" and len({layer.name for layer in loaded.layers}) == len(loaded.layers)


def test_equal_seeds_give_equal_bytes(tmp_path):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        keras.utils.set_random_seed(7)
        save_model(build_unet(**REDUCED, seed=5), tmp_path / folder / "unet.weights.h5", tmp_path / folder / "unet.json")
    for name in ("unet.weights.h5", "unet.json"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_a_level_without_stride_and_without_change_of_channels():
    model = build_unet(channels=(3, 8, 8), strides=(1, 2), decoded_channels=4)
    names = {layer.name for layer in model.layers}
    assert "backbone_level0_down_shortcut" not in names and "backbone_level1_down_shortcut" in names
    assert "backbone_level2_bottom_shortcut" not in names
    assert model(IMAGES)["segmentation"].shape == (2, 8, 12, 1)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"channels": (8,), "strides": ()}, "two channels or more"),
        ({"channels": (8, 16), "strides": (2, 2)}, "one stride fewer"),
        ({"channels": (8, 16), "strides": (3,)}, "not all 1 or 2"),
        ({"class_count": 1}, r"1 class\(es\)"),
        ({"image_size": 250}, "250 is not a multiple of 16"),
        ({"image_size": 0}, "0 is not a multiple of 16"),
    ],
)
def test_shapes_that_make_no_network(shape, message):
    with pytest.raises(ConfigError, match=message):
        build_unet(**shape)
