"""Vision transformers through keras-hub, as bodies whose patch tokens make a feature map.

Sizes: Dosovitskiy et al. 2021, *An Image is Worth 16x16 Words* (table 1), and DeiT's Tiny and Small (Touvron et
al. 2021, table 1). keras-hub is optional: it is imported when one of these is built.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import keras
from keras import layers

from pipeline.engine.errors import ConfigError
from pipeline.engine.extras import brought_by_extra
from pipeline.models.backbones.names import backbone_named


class TransformerSize(NamedTuple):
    layers: int
    heads: int
    width: int
    mlp_width: int
    preset: str | None


SIZES = {
    "ViTTiny16": TransformerSize(12, 3, 192, 768, None),
    "ViTSmall16": TransformerSize(12, 6, 384, 1536, None),
    "ViTBase16": TransformerSize(12, 12, 768, 3072, "vit_base_patch16_224_imagenet"),
    "ViTLarge16": TransformerSize(24, 16, 1024, 4096, "vit_large_patch16_224_imagenet"),
}


def build_vision_transformer(name: str, image_size: int, pretrained: bool = False) -> keras.Model:
    """Build a transformer whose output is a map of its patch tokens; the class token takes part and is then left out.

    Input ``image``: ``(B, S, S, 3)`` float32 in [-1, 1], S a multiple of 16. Output: ``(B, S/16, S/16, width)``
    float32.

    Args:
        pretrained: keras-hub's ImageNet preset is downloaded; else weights are random.

    Raises:
        ConfigError: keras-hub is not installed, a side that is no multiple of 16, or weights that cannot be had.
    """
    keras_hub = _keras_hub()
    backbone = backbone_named(name)
    backbone.refuse_size(image_size)
    size = SIZES[name]
    side = image_size // backbone.patch
    tokens_of = keras_hub.models.ViTBackbone(
        image_shape=(image_size, image_size, 3), patch_size=backbone.patch, num_layers=size.layers, num_heads=size.heads,
        hidden_dim=size.width, mlp_dim=size.mlp_width, name=f"{name.lower()}_tokens",
    ) if not pretrained else _preset(keras_hub, name, image_size)  # fmt: skip
    image = keras.Input((image_size, image_size, 3), name="image")
    patches = layers.Cropping1D((1, 0), name="without_class_token")(tokens_of(image))
    return keras.Model(image, layers.Reshape((side, side, size.width), name="patch_map")(patches), name=name.lower())


def _preset(keras_hub, name: str, image_size: int) -> keras.Model:
    backbone_named(name).refuse_weights("imagenet")
    preset = SIZES[name].preset
    try:
        return keras_hub.models.ViTBackbone.from_preset(preset, image_shape=(image_size, image_size, 3))
    except Exception as cause:  # kagglehub raises what its transport raises
        raise ConfigError(
            f"{preset}, the ImageNet weights of {name} from keras-hub, could not be fetched: {str(cause).splitlines()[0]}",
            f"Connect once, bring {_preset_folder()} from a machine that did, or give a .weights.h5 under `weights:`.",
        ) from cause


def _preset_folder() -> str:
    """Where keras-hub finds what it has fetched, and looks first."""
    from kagglehub.config import get_cache_folder

    return str(Path(get_cache_folder()) / "models" / "keras" / "vit")


def _keras_hub():
    with brought_by_extra("Or choose another backbone than a vision transformer."):
        import keras_hub
    return keras_hub
