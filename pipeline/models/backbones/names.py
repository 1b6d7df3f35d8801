"""The backbones by name, the one list for every stage: importable without TensorFlow, so a config is checked at once.

Sizes are those at which the ImageNet weights were trained (keras.io/api/applications).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Literal

from pipeline.engine.errors import ConfigError, did_you_mean

Family = Literal["lite", "application", "resnet18", "transformer"]
NO_FILE = ("imagenet", "none")
"""``weights`` that name no file: the published ones, and random ones."""


@dataclass(frozen=True)
class Backbone:
    """What is known of a network before it is built.

    family: which code builds it (``construction.BUILDERS``). native_size, minimum_size: sides in pixels, of the published
    weights and of the smallest picture. patch: a side must be a multiple of it. without_imagenet: what to give in place of
    ``weights: imagenet`` where there are none to be had.
    """

    name: str
    family: Family
    native_size: int = 224
    minimum_size: int = 32
    patch: int = 1
    without_imagenet: str | None = None

    def refuse_weights(self, weights: str, where: str = "") -> None:
        """Raise ConfigError where ``weights`` is ``imagenet`` and there are none of this network."""
        if weights == "imagenet" and self.without_imagenet is not None:
            raise ConfigError(f"{where}{self.name} has no ImageNet weights to be had.", self.without_imagenet)

    def refuse_size(self, image_size: int, where: str = "") -> None:
        """Raise ConfigError where a picture of that side, in pixels, is too small or cannot be cut into patches."""
        if image_size < self.minimum_size:
            raise ConfigError(f"{where}{self.name} needs {self.minimum_size} px, the profile has {image_size}.",
                              "Enlarge the profile.")  # fmt: skip
        if image_size % self.patch:
            raise ConfigError(f"{where}{self.name} cuts {self.patch} px patches; {image_size} px is no multiple.",
                              "Choose 224, 256 or 384.")  # fmt: skip


_LITE_SIZES = {"EfficientNetLite0": 224, "EfficientNetLite1": 240, "EfficientNetLite2": 260}
_KERAS_SIZES = {
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
_LEAST = {"NASNetLarge": 331, "InceptionV3": 75, "InceptionResNetV2": 75, "Xception": 71}
_TRANSFORMERS = {
    **dict.fromkeys(["ViTTiny16", "ViTSmall16"], "Use ViTBase16, `weights: none` or a file."),
    **dict.fromkeys(["ViTBase16", "ViTLarge16"]),
}

BACKBONES: dict[str, Backbone] = {
    backbone.name: backbone
    for backbone in (
        *(Backbone(name, "lite", size) for name, size in _LITE_SIZES.items()),
        *(Backbone(name, "application", size, _LEAST.get(name, 32)) for name, size in _KERAS_SIZES.items()),
        Backbone("ResNet18", "resnet18",
                 without_imagenet="Give torchvision's resnet18 .pth under `weights:`, or `weights: none`."),
        *(Backbone(name, "transformer", minimum_size=16, patch=16, without_imagenet=instead)
          for name, instead in _TRANSFORMERS.items()),
    )
}  # fmt: skip


def backbone_named(name: str, where: str = "") -> Backbone:
    """The backbone of that name; ``where`` stands before the message.

    Raises:
        ConfigError: unknown name, with the nearest known one.
    """
    if name not in BACKBONES:
        raise ConfigError(f"{where}unknown backbone {name!r}.{did_you_mean(name, BACKBONES)}",
                          "Any class of keras.applications, EfficientNetLite0 to 2, ResNet18, ViTBase16.")  # fmt: skip
    return BACKBONES[name]


def require_backbone(name: str, weights: str = "none", image_size: int | None = None, where: str = "") -> Backbone:
    """The backbone of that name, when it can be built with these weights for pictures of that side in pixels.

    Raises:
        ConfigError: as `backbone_named`; there are no such weights; the picture does not fit.
    """
    backbone = backbone_named(name, where)
    backbone.refuse_weights(weights, where)
    if image_size is not None:
        backbone.refuse_size(image_size, where)
    return backbone


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
