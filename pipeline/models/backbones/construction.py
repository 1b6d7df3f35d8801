"""Build any backbone by name, with its own input scaling inside, so a caller always feeds [0, 1]."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from pipeline.engine.errors import ConfigError, did_you_mean
from pipeline.models.backbones.efficientnet_lite import build_efficientnet_lite, imagenet_checkpoint, load_pytorch_weights
from pipeline.models.backbones.names import LITE_SIZES, require_backbone


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
        name: a class of ``keras.applications`` or ``EfficientNetLite0..2``.
        image_size: side S in pixels.
        weights: ``imagenet``, ``none`` (random, from the global seed) or a weight file.
        taps: names of inner layers whose maps are pooled too.
        mirrored: the features are the mean of those of the scan and of its left-right mirror image.

    Raises:
        ConfigError: unknown backbone or layer, or ImageNet weights neither installed nor downloadable.
        CorruptArtifactError: a weight file that does not fit.
    """
    body, scaling = frozen_body(name, image_size, weights)
    tapped = keras.Model(body.input, [*(layer_of(body, tap).output for tap in taps), body.output], name=body.name)
    image = keras.Input((image_size, image_size, 1), name="image")
    if mirrored:
        views = {"": image, "_mirrored": Mirror(name="mirror")(image)}
        both = [pooled(tapped(scaling(view), training=False), end) for end, view in views.items()]
        features = layers.Average(name="features")(both)
    else:
        features = layers.Identity(name="features")(pooled(tapped(scaling(image), training=False)))
    return keras.Model(image, features, name=f"{name.lower()}_{image_size}")


def frozen_body(name: str, image_size: int, weights: str | Path) -> tuple[keras.Model, InputScaling]:
    """The convolutions of a backbone, not trainable, and the input scaling before them. Raises as ``build_backbone``."""
    require_backbone(name)
    body, scaling = (_lite if name in LITE_SIZES else _application)(name, image_size, weights)
    body.trainable = False
    return body, scaling


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
    try:
        body = constructor(include_top=False, weights=source, input_shape=(image_size, image_size, 3))
    except (OSError, ValueError) as cause:
        first_line = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
        raise ConfigError(
            f"weights {source!r} of {name} could not be loaded: {first_line}",
            "Give a local .weights.h5 file under `weights:`, or connect once so that Keras can download them.",
        ) from cause
    return body, scaling_of(sys.modules[constructor.__module__].preprocess_input)


def scaling_of(preprocess_input) -> InputScaling:
    """Express a ``keras.applications`` ``preprocess_input`` as one affine map a channel, on [0, 1] input.

    The map is read off the function itself at three probe pixels, so every module's own rule is kept.
    """
    dark, bright = np.zeros((1, 1, 1, 3), "float32"), np.full((1, 1, 1, 3), 255.0, "float32")
    red = np.array([[[[255.0, 0.0, 0.0]]]], "float32")
    low, high, red_out = (np.asarray(preprocess_input(p.copy())).ravel() for p in (dark, bright, red))
    reverse = bool(abs(red_out[2] - low[2]) > abs(red_out[0] - low[0]))
    return InputScaling([float(v) for v in high - low], [float(v) for v in low], reverse_channels=reverse, name="input_scaling")
