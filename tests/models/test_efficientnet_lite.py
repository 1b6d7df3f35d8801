"""EfficientNet-Lite: its size, its names, its first layers in plain NumPy, and what it refuses to load."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from torch_containers import Tensor, write_zip

from pipeline.engine.errors import ConfigError, CorruptArtifactError
from pipeline.models.backbones.efficientnet_lite import (
    VARIANTS,
    blocks_of,
    build_efficientnet_lite,
    imagenet_checkpoint,
    load_pytorch_weights,
    rounded_channels,
)
from pipeline.models.torch_files import read_state_dict

# (input channels, expansion, kernel, output channels) of the 16 blocks of EfficientNet-B0's table.
LITE0_BLOCKS = [
    (32, 1, 3, 16), (16, 6, 3, 24), (24, 6, 3, 24), (24, 6, 5, 40), (40, 6, 5, 40), (40, 6, 3, 80), (80, 6, 3, 80),
    (80, 6, 3, 80), (80, 6, 5, 112), (112, 6, 5, 112), (112, 6, 5, 112), (112, 6, 5, 192), (192, 6, 5, 192),
    (192, 6, 5, 192), (192, 6, 5, 192), (192, 6, 3, 320),
]  # fmt: skip
# Mean feature of a ramp, and the features' product with cos(0), cos(1), …: taken once the stem agreed with NumPy.
GOLDEN_MEAN, GOLDEN_PROJECTION = 0.063590, -9.64310


@pytest.fixture(scope="module")
def lite0():
    model = build_efficientnet_lite("EfficientNetLite0", 64)
    load_pytorch_weights(model, imagenet_checkpoint("EfficientNetLite0"))
    return model


@pytest.fixture(scope="module")
def tensors():
    return read_state_dict(imagenet_checkpoint("EfficientNetLite0"))


def trainable_count(blocks) -> int:
    """Kernels without bias, and scale and shift of each batch normalisation."""
    count = 3 * 3 * 3 * 32 + 2 * 32
    for entered, expansion, kernel, left in blocks:
        inner = entered * expansion
        count += (entered * inner + 2 * inner) if expansion > 1 else 0
        count += kernel * kernel * inner + 2 * inner + inner * left + 2 * left
    return count + 320 * 1280 + 2 * 1280


def test_parameters_as_tabled(lite0):
    counted = sum(math.prod(weight.shape) for weight in lite0.trainable_weights)
    assert counted == trainable_count(LITE0_BLOCKS) == 4_652_008 - (1280 * 1000 + 1000)


def test_blocks_and_names(lite0):
    assert [block.channels for block in blocks_of(VARIANTS["EfficientNetLite0"])] == [block[3] for block in LITE0_BLOCKS]
    assert sum(layer.name.endswith("_add") for layer in lite0.layers) == 9
    names = [layer.name for layer in lite0.layers]
    assert names[1:4] == ["stem_conv", "stem_bn", "stem_relu6"] and names[-1] == "top_relu6"
    assert len({weight.path for weight in lite0.weights}) == len(lite0.weights)


@pytest.mark.parametrize(
    ("channels", "width", "rounded"), [(320, 1.0, 320), (112, 1.1, 120), (24, 1.1, 24), (16, 1.1, 16), (8, 0.5, 8)]
)
def test_channels_round_to_eight_and_lose_at_most_a_tenth(channels, width, rounded):
    assert rounded_channels(channels, width) == rounded


def stem_in_numpy(image: np.ndarray, tensors: dict[str, np.ndarray]) -> np.ndarray:
    """3×3 convolution of stride 2 with TensorFlow's SAME padding, batch normalisation, ReLU6; ``(H, W, 3)`` float64."""
    side = image.shape[0]
    out = math.ceil(side / 2)
    before = max((out - 1) * 2 + 3 - side, 0) // 2
    padded = np.zeros((2 * out + 1, 2 * out + 1, 3))
    padded[before : before + side, before : before + side] = image
    kernel = tensors["_conv_stem.weight"].astype(np.float64)
    answer = np.empty((out, out, 32))
    for row in range(out):
        for column in range(out):
            patch = padded[2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
            answer[row, column] = np.einsum("hwi,oihw->o", patch, kernel)
    scale, shift, mean, variance = (tensors[f"_bn0.{part}"] for part in ("weight", "bias", "running_mean", "running_var"))
    return np.clip((answer - mean) / np.sqrt(variance + 1e-3) * scale + shift, 0, 6)


@pytest.mark.parametrize("side", [64, 33])
def test_the_stem_equals_plain_numpy(side, lite0, tensors):
    image = np.random.default_rng(0).uniform(-1, 1, (side, side, 3))
    model = lite0
    if side != 64:
        model = build_efficientnet_lite("EfficientNetLite0", side)
        model.set_weights(lite0.get_weights())
    stem = keras.Model(model.input, model.get_layer("stem_relu6").output)
    np.testing.assert_allclose(np.asarray(stem(image[None].astype("float32")))[0], stem_in_numpy(image, tensors), atol=2e-5)


def test_the_features_of_a_ramp_stay_what_they_were(lite0):
    ramp = np.linspace(-1, 1, 64 * 64 * 3, dtype=np.float32).reshape(1, 64, 64, 3)
    features = np.asarray(lite0(ramp, training=False)).mean(axis=(1, 2))[0]
    assert features.shape == (1280,)
    assert features.mean() == pytest.approx(GOLDEN_MEAN, rel=1e-4)
    assert features @ np.cos(np.arange(1280)) == pytest.approx(GOLDEN_PROJECTION, rel=1e-3)


def test_a_checkpoint_of_another_network_is_refused_layer_by_layer(tmp_path, tensors):
    kept = {name: Tensor(array) for name, array in tensors.items() if array.dtype == np.float32}
    del kept["_blocks.3._bn1.weight"]
    kept["_conv_head.weight"] = Tensor(np.zeros((1280, 192, 1, 1), np.float32))
    path = write_zip(tmp_path / "other.pth", kept)
    with pytest.raises(CorruptArtifactError) as refused:
        load_pytorch_weights(build_efficientnet_lite("EfficientNetLite0", 64), path)
    assert "other.pth does not fit efficientnetlite0" in str(refused.value)
    assert "block3_depthwise_bn" in str(refused.value) and "top_conv" in str(refused.value)
    assert "stem_conv" not in str(refused.value)


def test_unknown_variant():
    with pytest.raises(ConfigError, match="EfficientNetLite9"):
        build_efficientnet_lite("EfficientNetLite9")
