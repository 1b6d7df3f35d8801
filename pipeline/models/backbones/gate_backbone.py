"""The frozen network whose inner feature maps tell a chest X-ray from other pictures."""

from __future__ import annotations

import keras
from keras import layers

from pipeline.models.backbones.construction import frozen_body, layer_of
from pipeline.models.backbones.names import backbone_named
from pipeline.models.stored_precision import round_kernels

VARIANT = "EfficientNetLite0"
# The last layers are left out: they answer to ImageNet's objects and tell X-rays from noise worse than these do.
TAPS = ("block4_add", "block7_add", "block10_add", "block14_add", "block15_project_bn")


def build_gate_backbone(image_size: int | None = None) -> keras.Model:
    """EfficientNet-Lite0 with ImageNet weights up to its last block, pooled behind five of its stages.

    Input ``image``: ``(B, S, S, 1)`` float32 in [0, 1]. Output ``features``: ``(B, 744)`` float32. Kernels are rounded
    to float16, as they are stored.

    Raises:
        ConfigError: the ImageNet weights are not installed.
    """
    size = image_size or backbone_named(VARIANT).native_size
    body, scaling = frozen_body(VARIANT, size, "imagenet")
    tapped = keras.Model(body.input, [layer_of(body, tap).output for tap in TAPS], name=body.name)
    tapped.trainable = False
    image = keras.Input((size, size, 1), name="image")
    maps = tapped(scaling(image), training=False)
    pooled = [layers.GlobalAveragePooling2D(name=f"pool_{position}")(each) for position, each in enumerate(maps)]
    network = keras.Model(image, layers.Concatenate(name="features")(pooled), name="gate_backbone")
    return round_kernels(network, "float16")
