"""ResNet18 against torchvision's definition written out in NumPy, its importer, and files that do not fit."""

from __future__ import annotations

from collections import OrderedDict

import keras
import numpy as np
import pytest
from torch_containers import Tensor, write_zip

from pipeline.engine.errors import CorruptArtifactError
from pipeline.models.backbones.resnet18 import build_resnet18, load_torchvision_weights, torch_name

CHANNELS = (64, 128, 256, 512)


def torchvision_state(seed: int = 0) -> dict[str, np.ndarray]:
    """Random tensors under torchvision's 122 names, fc included, scaled so that activations neither die nor explode."""
    draw, state = np.random.default_rng(seed), OrderedDict()

    def convolution(name, out, entering, kernel):
        spread = np.sqrt(2 / (entering * kernel * kernel))
        state[f"{name}.weight"] = draw.normal(0, spread, (out, entering, kernel, kernel)).astype(np.float32)

    def norm(name, width):
        for kind, low, high in (("weight", 0.5, 1), ("bias", -0.2, 0.2), ("running_mean", -0.2, 0.2), ("running_var", 0.5, 2)):
            state[f"{name}.{kind}"] = draw.uniform(low, high, width).astype(np.float32)
        state[f"{name}.num_batches_tracked"] = np.array(7, np.int64)

    convolution("conv1", 64, 3, 7)
    norm("bn1", 64)
    entering = 64
    for stage, width in enumerate(CHANNELS, start=1):
        for block in range(2):
            place = f"layer{stage}.{block}"
            convolution(f"{place}.conv1", width, entering, 3)
            norm(f"{place}.bn1", width)
            convolution(f"{place}.conv2", width, width, 3)
            norm(f"{place}.bn2", width)
            if entering != width:
                convolution(f"{place}.downsample.0", width, entering, 1)
                norm(f"{place}.downsample.1", width)
            entering = width
    state["fc.weight"], state["fc.bias"] = np.zeros((1000, 512), np.float32), np.zeros(1000, np.float32)
    return state


def convolve(x, kernel, stride, padding):
    """x (B, C, H, W), kernel (O, C, k, k): PyTorch's conv2d."""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    return np.einsum("bchwij,ocij->bohw", windows, kernel, optimize=True)


def normalise(x, state, name):
    scale, offset, mean, variance = (
        state[f"{name}.{kind}"][:, None, None] for kind in ("weight", "bias", "running_mean", "running_var")
    )
    return (x - mean) / np.sqrt(variance + 1e-5) * scale + offset


def reference(state, x):
    """torchvision's forward pass up to the last ReLU; x (B, 3, H, W)."""
    x = np.maximum(normalise(convolve(x, state["conv1.weight"], 2, 3), state, "bn1"), 0)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    x = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))[:, :, ::2, ::2].max(axis=(4, 5))
    for stage in range(1, 5):
        for block in range(2):
            place, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            y = np.maximum(normalise(convolve(x, state[f"{place}.conv1.weight"], stride, 1), state, f"{place}.bn1"), 0)
            y = normalise(convolve(y, state[f"{place}.conv2.weight"], 1, 1), state, f"{place}.bn2")
            if f"{place}.downsample.0.weight" in state:
                x = normalise(convolve(x, state[f"{place}.downsample.0.weight"], stride, 0), state, f"{place}.downsample.1")
            x = np.maximum(x + y, 0)
    return x


def stored(state, path):
    return write_zip(path, OrderedDict((name, Tensor(array)) for name, array in state.items()))


@pytest.fixture(scope="module")
def body():
    return build_resnet18(64)


def test_the_imported_network_computes_what_torchvision_computes(body, tmp_path):
    state = torchvision_state()
    load_torchvision_weights(body, stored({f"module.{name}": array for name, array in state.items()}, tmp_path / "r.pth"))
    image = np.random.default_rng(1).normal(size=(2, 64, 64, 3)).astype(np.float32)
    expected = reference(state, image.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
    assert expected.shape == (2, 2, 2, 512) and 0.05 < (expected > 0).mean() < 0.95
    np.testing.assert_allclose(np.asarray(body(image, training=False)), expected, rtol=1e-3, atol=1e-3 * expected.max())


def test_its_size_and_its_names(body):
    # torchvision's 11,689,512 less the classifier's 512 · 1000 + 1000
    assert sum(int(np.prod(w.shape)) for w in body.trainable_weights) == 11_689_512 - 513_000
    names = {torch_name(layer.name) for layer in body.layers if layer.weights}
    assert {"conv1", "bn1", "layer1.0.conv2", "layer4.1.bn2", "layer2.0.downsample.0", "layer2.0.downsample.1"} <= names
    assert names == {name.rpartition(".")[0] for name in torchvision_state()} - {"fc"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state.pop("layer3.0.downsample.1.bias"), "layer3.0.downsample.1.bias is missing"),
        (lambda state: state.update({"layer1.0.conv1.weight": np.zeros((64, 32, 3, 3), np.float32)}), "has shape"),
        (lambda state: state.update({"layer5.0.conv1.weight": np.zeros(1, np.float32)}), "belongs nowhere"),
    ],
)
def test_a_checkpoint_that_does_not_fit_changes_nothing(change, said, body, tmp_path):
    state = torchvision_state(seed=2)
    change(state)
    before = [np.array(weight) for weight in body.get_weights()]
    with pytest.raises(CorruptArtifactError, match=said):
        load_torchvision_weights(body, stored(state, tmp_path / "r.pth"))
    for mine, kept in zip(body.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, kept)


def test_it_is_built_of_stock_layers_only(body):
    assert keras.models.model_from_json(body.to_json()).count_params() == body.count_params()
