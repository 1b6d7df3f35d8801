"""Weights of PyTorch's MONAI give its answers in Keras, and a checkpoint of another network is refused by name."""

from __future__ import annotations

import runpy
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from torch_containers import Tensor, write_legacy, write_zip

from pipeline.engine.errors import ConfigError, CorruptArtifactError
from pipeline.models.checkpoints import load_unet_checkpoint, tensor_slots
from pipeline.models.unet import backbone_of, build_unet, part_of

REFERENCE = Path(__file__).with_name("reference")
SHAPE = {"channels": (8, 16, 32), "strides": (2, 2), "decoded_channels": 8}
HEADS = ("segmentation", "classification")


@pytest.fixture(scope="module")
def reference():
    with np.load(REFERENCE / "unet_reduced.npz", allow_pickle=False) as stored:
        return dict(stored)


@pytest.fixture
def state_dict(reference):
    """``{tensor name: array}``, float32 and int64."""
    start = "state_dict/"
    tensors = {name.removeprefix(start): array for name, array in reference.items() if name.startswith(start)}
    return OrderedDict(
        (name, array.astype(np.float32) if array.dtype == np.float16 else array) for name, array in tensors.items()
    )


def stored(path, tensors, write=write_zip, **beside):
    tree = OrderedDict((name, Tensor(array)) for name, array in tensors.items())
    return write(path, {"model_state_dict": tree, **beside} if beside else tree)


@pytest.mark.parametrize("write", [write_zip, write_legacy])
def test_monai_weights_give_monai_answers(write, reference, state_dict, tmp_path):
    model = build_unet(**SHAPE)
    load_unet_checkpoint(model, stored(tmp_path / "unet.pth", state_dict, write))
    answered = model(reference["image"], training=False)
    for head in HEADS:
        np.testing.assert_allclose(answered[head], reference[head], atol=2e-5)
    np.testing.assert_allclose(backbone_of(model)(reference["image"], training=False), reference["backbone"], atol=5e-5)
    assert np.ptp(reference["segmentation"]) > 0.5 and np.ptp(reference["classification"]) > 0.5


def test_every_weight_is_filled(state_dict, tmp_path):
    model = build_unet(**SHAPE)
    slots = tensor_slots(model)
    assert {layer.name for layer in model.layers if layer.weights} == set(slots)
    named = [slot.name for chosen in slots.values() for slot in chosen]
    assert sorted(named) == sorted(name for name in state_dict if not name.endswith("num_batches_tracked"))
    load_unet_checkpoint(model, stored(tmp_path / "unet.pth", state_dict))
    for name, chosen in slots.items():
        for weight, slot in zip(model.get_layer(name).get_weights(), chosen, strict=True):
            np.testing.assert_array_equal(np.sort(weight.ravel()), np.sort(state_dict[slot.name].ravel()))


def test_a_state_dict_nested_among_the_numbers_of_a_training(reference, state_dict, tmp_path):
    path = stored(tmp_path / "best.pth", state_dict, epoch=19, best_dice=np.float64(0.969), rates=[np.float32(1e-4)])
    model = build_unet(**SHAPE)
    load_unet_checkpoint(model, path)
    np.testing.assert_allclose(model(reference["image"])["segmentation"], reference["segmentation"], atol=2e-5)


def test_a_bare_backbone_leaves_the_heads_alone(reference, state_dict, tmp_path):
    start = "backbone."
    bare = {name.removeprefix(start): array for name, array in state_dict.items() if name.startswith(start)}
    model = build_unet(**SHAPE)
    heads = [layer for layer in model.layers if "head" in part_of(layer.name) and layer.weights]
    before = [layer.get_weights() for layer in heads]
    load_unet_checkpoint(model, stored(tmp_path / "monai.pth", bare), {"backbone": "model"})
    np.testing.assert_allclose(backbone_of(model)(reference["image"]), reference["backbone"], atol=5e-5)
    for layer, weights in zip(heads, before, strict=True):
        for found, expected in zip(layer.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("before", ["module.", "net.", "model.module.", "_orig_mod."])
def test_what_stands_before_all_names_is_found_and_said(reference, state_dict, tmp_path, before):
    path = stored(tmp_path / "parallel.pth", {f"{before}{name}": array for name, array in state_dict.items()})
    model, told = build_unet(**SHAPE), []
    load_unet_checkpoint(model, path, warn=told.append)
    assert told == [f"parallel.pth: its names begin with {before!r}, which was left out"]
    np.testing.assert_allclose(model(reference["image"])["segmentation"], reference["segmentation"], atol=2e-5)
    load_unet_checkpoint(model, path, before=before, warn=told.append)
    assert len(told) == 1
    with pytest.raises(CorruptArtifactError, match=f"begins with 'mod.'.*first tensor is {before}backbone"):
        load_unet_checkpoint(model, path, before="mod.")


def test_two_networks_in_one_file_are_told_apart_by_the_option(reference, state_dict, tmp_path):
    both = {f"ema.{name}": array * 0 for name, array in state_dict.items()}
    path = stored(tmp_path / "two.pth", both | {f"net.{name}": array for name, array in state_dict.items()})
    model = build_unet(**SHAPE)
    with pytest.raises(CorruptArtifactError, match="stand after 'ema.', 'net.'.*--prefix"):
        load_unet_checkpoint(model, path)
    load_unet_checkpoint(model, path, before="net.")
    np.testing.assert_allclose(model(reference["image"])["segmentation"], reference["segmentation"], atol=2e-5)


def test_half_precision_weights_give_nearly_the_same_answers(reference, state_dict, tmp_path):
    half = {name: array.astype(np.float16) if array.dtype == np.float32 else array for name, array in state_dict.items()}
    brain = {
        name: (array.view(np.uint32) >> 16).astype(np.uint16) if array.dtype == np.float32 else array
        for name, array in state_dict.items()
    }
    for tensors, near in ((half, 2e-3), (brain, 5e-2)):
        model = build_unet(**SHAPE)
        load_unet_checkpoint(model, stored(tmp_path / "half.pth", tensors))
        np.testing.assert_allclose(model(reference["image"])["segmentation"], reference["segmentation"], atol=near)
        assert np.abs(model(reference["image"])["segmentation"] - reference["segmentation"]).max() > 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused_as_such(state_dict, tmp_path, value):
    state_dict["classifier.9.bias"] = np.full(4, value, np.float32)
    model = build_unet(**SHAPE)
    before = model.get_weights()
    with pytest.raises(CorruptArtifactError, match="not finite .* in 1 tensors: classifier.9.bias"):
        load_unet_checkpoint(model, stored(tmp_path / "diverged.pth", state_dict))
    for found, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_names_of_data_parallel_training_by_part(state_dict, tmp_path):
    path = stored(tmp_path / "parallel.pth", {f"module.{name}": array for name, array in state_dict.items()})
    model = build_unet(**SHAPE)
    prefixes = {
        "backbone": "module.backbone.model", "segmentation_head": "module.seg_head",
        "classification_head": "module.classifier",
    }  # fmt: skip
    load_unet_checkpoint(model, path, prefixes)
    slope = model.get_layer("backbone_level1_up_prelu").get_weights()[0]
    assert slope == state_dict["backbone.model.1.submodule.2.0.adn.A.weight"]


def test_every_mismatched_tensor_is_named_and_nothing_is_filled(state_dict, tmp_path):
    del state_dict["backbone.model.1.submodule.1.submodule.conv.unit0.adn.A.weight"]
    state_dict["classifier.9.weight"] = np.zeros((3, 128), np.float32)
    state_dict["classifier.9.bias"] = np.zeros(3, np.float32)
    state_dict["backbone.model.0.conv.unit2.conv.bias"] = np.zeros(8, np.float32)
    model = build_unet(**SHAPE)
    before = model.get_weights()
    with pytest.raises(CorruptArtifactError) as refused:
        load_unet_checkpoint(model, stored(tmp_path / "other.pth", state_dict))
    assert refused.value.message == (
        "other.pth does not fit unet: "
        "backbone.model.1.submodule.1.submodule.conv.unit0.adn.A.weight is missing; "
        "classifier.9.weight has shape (3, 128), not (4, 128); classifier.9.bias has shape (3,), not (4,); "
        "backbone.model.0.conv.unit2.conv.bias belongs nowhere."
    )
    for found, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_part_that_a_unet_does_not_have(state_dict, tmp_path):
    with pytest.raises(ConfigError, match="'segmentation_hed'.*Did you mean 'segmentation_head'"):
        load_unet_checkpoint(build_unet(**SHAPE), tmp_path / "unread.pth", {"segmentation_hed": "seg_head"})


@pytest.mark.slow
def test_full_size_against_monai(tmp_path):
    """256 × 256 pixels, 6.6 million parameters, PyTorch's own ``torch.save``; within 1e-4 on both heads."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("monai")
    maker = runpy.run_path(str(REFERENCE / "make_unet_reference.py"))
    network = maker["drawn_network"](maker["FULL_SIZE"], seed=11)
    path = tmp_path / "full.pth"
    torch.save({"epoch": 19, "best_dice": np.float64(0.969), "model_state_dict": network.state_dict()}, path)
    image = np.random.default_rng(12).uniform(0, 1, (2, 256, 256, 3)).astype(np.float32)
    expected = maker["answers"](network, image)
    model = build_unet()
    load_unet_checkpoint(model, path)
    answered = model(image, training=False)
    differences = {head: float(np.abs(np.asarray(answered[head]) - expected[head]).max()) for head in HEADS}
    print("largest differences:", differences, "ranges:", {head: float(np.ptp(expected[head])) for head in HEADS})
    assert max(differences.values()) <= 1e-4
