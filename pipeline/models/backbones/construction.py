"""Build any backbone by name, with its own input scaling inside, so a caller always feeds [0, 1]."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from pipeline.engine.errors import ConfigError, CorruptArtifactError, did_you_mean
from pipeline.models.backbones.application_weights import build_published
from pipeline.models.backbones.efficientnet_lite import build_efficientnet_lite, imagenet_checkpoint, load_pytorch_weights
from pipeline.models.backbones.names import NO_FILE, Family, require_backbone
from pipeline.models.backbones.resnet18 import IMAGENET_MEAN, IMAGENET_STD, build_resnet18, load_torchvision_weights
from pipeline.models.backbones.vision_transformer import build_vision_transformer


@keras.saving.register_keras_serializable(package="respiratory")
class InputScaling(layers.Layer):
    """Maps ``(B, H, W, 1 or 3)`` float32 in [0, 1] to a backbone's own input range, ``(B, H, W, 3)``.

    Each channel becomes ``scale * pixel + offset``, after an optional RGB → BGR flip; one gray channel is
    repeated to three.
    """

    def __init__(self, scale: list[float], offset: list[float], reverse_channels: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        self.scale, self.offset, self.reverse_channels = list(scale), list(offset), reverse_channels

    def call(self, image):
        if image.shape[-1] == 1:
            image = ops.repeat(image, 3, axis=-1)
        elif self.reverse_channels:
            image = ops.flip(image, axis=-1)
        return image * ops.convert_to_tensor(self.scale, "float32") + ops.convert_to_tensor(self.offset, "float32")

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 3)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale, "offset": self.offset,
                "reverse_channels": self.reverse_channels}  # fmt: skip


@keras.saving.register_keras_serializable(package="respiratory")
class Mirror(layers.Layer):
    """Maps ``(B, H, W, C)`` to its left-right mirror image."""

    def call(self, image):
        return ops.flip(image, axis=2)

    def compute_output_shape(self, input_shape):
        return input_shape


def build_backbone(
    name: str, image_size: int, weights: str | Path = "imagenet", taps: tuple[str, ...] = (), mirrored: bool = False
) -> keras.Model:
    """Build a frozen backbone that turns a gray scan into one feature vector.

    Input ``image``: ``(B, S, S, 1)`` float32 in [0, 1]. Output ``features``: ``(B, F)`` float32, the global
    average of the last feature map, or of each layer in ``taps`` side by side, the last map at the end.

    Args:
        name: one of ``names.BACKBONES``.
        image_size: side S in pixels.
        weights: ``imagenet``, ``none`` (random, from the global seed) or a weight file.
        taps: names of inner layers whose maps are pooled too.
        mirrored: the features are the mean of those of the scan and of its left-right mirror image.

    Raises:
        ConfigError: unknown backbone or layer, or ImageNet weights neither here nor to be fetched.
        StorageError: ImageNet weights are not here, and there is nowhere to put them.
        CorruptArtifactError: a weight file that does not fit, or is not the published one.
    """
    body, scaling = frozen_body(name, image_size, weights)
    tapped = tapped_body(body, taps)
    image = keras.Input((image_size, image_size, 1), name="image")
    if mirrored:
        views = {"": image, "_mirrored": Mirror(name="mirror")(image)}
        both = [pooled(tapped(scaling(view), training=False), end) for end, view in views.items()]
        features = layers.Average(name="features")(both)
    else:
        features = layers.Identity(name="features")(pooled(tapped(scaling(image), training=False)))
    return keras.Model(image, features, name=f"{name.lower()}_{image_size}")


def build_body(name: str, image_size: int, weights: str | Path) -> tuple[keras.Model, InputScaling]:
    """A backbone without its pooling, every layer trainable, and the input scaling before it. Raises as ``build_backbone``."""
    family = require_backbone(name, str(weights)).family
    return BUILDERS[family](name, image_size, weights)


def frozen_body(name: str, image_size: int, weights: str | Path) -> tuple[keras.Model, InputScaling]:
    """As ``build_body``, not trainable."""
    body, scaling = build_body(name, image_size, weights)
    body.trainable = False
    return body, scaling


def tapped_body(body: keras.Model, taps: Sequence[str]) -> keras.Model:
    """The body giving the maps of its tapped layers, in that order, and then its last. Raises as ``layer_of``."""
    return keras.Model(body.input, [*(layer_of(body, tap).output for tap in taps), body.output], name=body.name)


def pooled(maps, end: str = ""):
    """Feature maps side by side, each averaged over its positions; ``end`` tells the layers of two views apart."""
    maps = maps if isinstance(maps, list | tuple) else [maps]
    means = [layers.GlobalAveragePooling2D(name=f"pool_{place}{end}")(feature_map) for place, feature_map in enumerate(maps)]
    return means[0] if len(means) == 1 else layers.Concatenate(name=f"join{end}")(means)


def layer_of(body: keras.Model, name: str) -> layers.Layer:
    """The body's layer of this name. Raises ConfigError with the nearest one where there is none."""
    names = [layer.name for layer in body.layers]
    if name not in names:
        remedy = "Mend the name under `taps:` or `fine_tune:`."
        raise ConfigError(f"{body.name} has no layer {name!r}.{did_you_mean(name, names)}", remedy)
    return body.get_layer(name)


def _lite(name: str, image_size: int, weights: str | Path) -> tuple[keras.Model, InputScaling]:
    body = build_efficientnet_lite(name, image_size)
    if weights != "none":
        load_pytorch_weights(body, imagenet_checkpoint(name) if weights == "imagenet" else Path(weights))
    return body, InputScaling([255 / 128] * 3, [-127 / 128] * 3, name="input_scaling")


def _application(name: str, image_size: int, weights: str | Path) -> tuple[keras.Model, InputScaling]:
    constructor = getattr(keras.applications, name)
    source = None if weights == "none" else str(weights)

    def build() -> keras.Model:
        return constructor(include_top=False, weights=source, input_shape=(image_size, image_size, 3))

    try:
        body = build_published(name, build) if source == "imagenet" else build()
    except (OSError, ValueError) as cause:
        first_line = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
        raise ConfigError(
            f"weights {source!r} of {name} could not be loaded: {first_line}",
            "Give a local .weights.h5 file of the same network under `weights:`, or `weights: none`.",
        ) from cause
    return body, scaling_of(sys.modules[constructor.__module__].preprocess_input)


def _resnet18(name: str, image_size: int, weights: str | Path) -> tuple[keras.Model, InputScaling]:
    body = build_resnet18(image_size)
    if str(weights).endswith(".pth"):
        load_torchvision_weights(body, Path(weights))
    elif weights != "none":
        _load_own(body, name, Path(weights), "Give torchvision's .pth or a .weights.h5 of the same network.")
    mean_std = list(zip(IMAGENET_MEAN, IMAGENET_STD, strict=True))
    return body, InputScaling([1 / s for _, s in mean_std], [-m / s for m, s in mean_std], name="input_scaling")


def _transformer(name: str, image_size: int, weights: str | Path) -> tuple[keras.Model, InputScaling]:
    body = build_vision_transformer(name, image_size, pretrained=weights == "imagenet")
    if weights not in NO_FILE:
        _load_own(body, name, Path(weights), "Use the .weights.h5 of the same network.")
    return body, InputScaling([2.0] * 3, [-1.0] * 3, name="input_scaling")


def _load_own(body: keras.Model, name: str, weights: Path, remedy: str) -> None:
    """Fill a body from a ``.weights.h5`` of itself. Raises CorruptArtifactError where the file does not fit."""
    try:
        body.load_weights(weights)
    except (ValueError, OSError) as cause:
        raise CorruptArtifactError(f"{weights.name} does not fit {name}: {str(cause).splitlines()[0]}", remedy) from cause


# (name, side in pixels, weights) → body and input scaling; a new family is one function and one entry here.
BUILDERS: dict[Family, Callable[[str, int, str | Path], tuple[keras.Model, InputScaling]]] = {
    "lite": _lite, "application": _application, "resnet18": _resnet18, "transformer": _transformer,
}  # fmt: skip


def scaling_of(preprocess_input) -> InputScaling:
    """Express a ``keras.applications`` ``preprocess_input`` as one affine map a channel, on [0, 1] input.

    The map is read off the function itself at three probe pixels, so every module's own rule is kept.
    """
    dark, bright = np.zeros((1, 1, 1, 3), "float32"), np.full((1, 1, 1, 3), 255.0, "float32")
    red = np.array([[[[255.0, 0.0, 0.0]]]], "float32")
    low, high, red_out = (np.asarray(preprocess_input(p.copy())).ravel() for p in (dark, bright, red))
    reverse = bool(abs(red_out[2] - low[2]) > abs(red_out[0] - low[0]))
    return InputScaling([float(v) for v in high - low], [float(v) for v in low], reverse_channels=reverse, name="input_scaling")
