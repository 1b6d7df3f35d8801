"""The backbones by name, with their input sizes: importable without TensorFlow, so a config is checked at once.

Sizes are those at which the ImageNet weights were trained (keras.io/api/applications).
"""

from __future__ import annotations

import hashlib
import json

from pipeline.engine.errors import ConfigError, did_you_mean

LITE_SIZES = {"EfficientNetLite0": 224, "EfficientNetLite1": 240, "EfficientNetLite2": 260}

KERAS_SIZES = {
    **dict.fromkeys(
        ["ConvNeXtTiny", "ConvNeXtSmall", "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtXLarge", "DenseNet121",
         "DenseNet169", "DenseNet201", "EfficientNetB0", "EfficientNetV2B0", "MobileNet", "MobileNetV2",
         "MobileNetV3Large", "MobileNetV3Small", "NASNetMobile", "ResNet50", "ResNet101", "ResNet152",
         "ResNet50V2", "ResNet101V2", "ResNet152V2", "VGG16", "VGG19"], 224
    ),
    **dict.fromkeys(["InceptionV3", "InceptionResNetV2", "Xception"], 299),
    "NASNetLarge": 331,
    "EfficientNetB1": 240, "EfficientNetB2": 260, "EfficientNetB3": 300, "EfficientNetB4": 380,
    "EfficientNetB5": 456, "EfficientNetB6": 528, "EfficientNetB7": 600,
    "EfficientNetV2B1": 240, "EfficientNetV2B2": 260, "EfficientNetV2B3": 300,
    "EfficientNetV2S": 384, "EfficientNetV2M": 480, "EfficientNetV2L": 480,
}  # fmt: skip

NATIVE_SIZE: dict[str, int] = {**LITE_SIZES, **KERAS_SIZES}
MINIMUM_SIZE: dict[str, int] = {"NASNetLarge": 331, "InceptionV3": 75, "InceptionResNetV2": 75, "Xception": 71}


def require_backbone(name: str) -> str:
    """Return ``name`` when it is a known backbone.

    Raises:
        ConfigError: unknown name, with the nearest known one.
    """
    if name not in NATIVE_SIZE:
        raise ConfigError(
            f"unknown backbone {name!r}.{did_you_mean(name, NATIVE_SIZE)}",
            "Any class of keras.applications, or EfficientNetLite0, EfficientNetLite1, EfficientNetLite2.",
        )
    return name


def minimum_size(name: str) -> int:
    """Smallest image side in pixels that the backbone's ImageNet weights accept."""
    return MINIMUM_SIZE.get(name, 32)


def feature_key(
    backbone: str, profile: str, weights: str, taps: tuple[str, ...], mirrored: bool = False, after: str | None = None
) -> str:
    """A file-name-safe key that two embedders share exactly when they read the same frozen features.

    ``after``: the layer whose maps they fine-tune from, ``None`` where the whole backbone is frozen.
    """
    said = [backbone, profile, *(["mirrored"] if mirrored else []), *([f"to_{after}"] if after else [])]
    if weights != "imagenet" or taps:
        said.append(hashlib.sha256(json.dumps([weights, list(taps)]).encode()).hexdigest()[:8])
    return "_".join(said)
