"""The multi-head UNet: lungs outlined and the diagnosis named from one chest X-ray.

Backbone: MONAI 1.6 ``UNet(spatial_dims=2, in_channels=3, out_channels=64, channels=(32, 64, 128, 256, 512),
strides=(2, 2, 2, 2), num_res_units=2, norm=BATCH, dropout=0.1)``, parameter for parameter. Only stock Keras
layers are used, so a stored architecture loads without code of this project.

Layer names say the part (``backbone``, ``segmentation_head``, ``classification_head``) and the place in it;
``pipeline.models.checkpoints`` reads PyTorch's names off them.
"""

from __future__ import annotations

import keras
from keras import layers

from pipeline.engine.errors import ConfigError
from pipeline.models.unet_blocks import DropoutSeeds, batch_norm, convolve, down_unit, pytorch_uniform, up_unit

CHANNELS = (32, 64, 128, 256, 512)
STRIDES = (2, 2, 2, 2)
DECODED_CHANNELS = 64
DROPOUT = 0.1
PARTS = ("backbone", "segmentation_head", "classification_head")
SEGMENTATION_FILTERS = 32
CLASSIFICATION_WIDTHS = (256, 128)
CLASSIFICATION_DROPOUTS = (0.5, 0.3, 0.2)


def build_unet(
    class_count: int = 4,
    channels: tuple[int, ...] = CHANNELS,
    strides: tuple[int, ...] = STRIDES,
    decoded_channels: int = DECODED_CHANNELS,
    dropout: float = DROPOUT,
    image_size: int | None = None,
    seed: int = 0,
    name: str = "unet",
) -> keras.Model:
    """Build the backbone with its two heads.

    Input ``image``: ``(B, H, W, 3)`` float32 in [0, 1]; H and W are multiples of the product of ``strides``
    (16 by default) and fixed only where ``image_size`` is given.
    Outputs, a dict: ``segmentation`` ``(B, H, W, 1)`` float32, probability in [0, 1] that a pixel is lung;
    ``classification`` ``(B, class_count)`` float32 logits. Both stay float32 under a mixed precision policy.

    Args:
        channels: feature maps of each level, the bottom one last.
        strides: 1 or 2 from each level to the next, one fewer than ``channels``.
        decoded_channels: feature maps that both heads read.
        dropout: rate after every batch normalisation of the backbone.
        seed: decides what each dropout draws; kernels follow Keras's global seed.

    Raises:
        ConfigError: strides, channels, class count or image size do not make a network.
    """
    _check_shape(class_count, channels, strides, image_size)
    seeds = DropoutSeeds(seed)
    image = keras.Input((image_size, image_size, 3), name="image")
    decoded = _level(image, 0, decoded_channels, channels, strides, dropout, seeds)
    outputs = {
        "segmentation": _segmentation_head(decoded),
        "classification": _classification_head(decoded, class_count, seeds),
    }
    return keras.Model(image, outputs, name=name)


def backbone_of(model: keras.Model) -> keras.Model:
    """The part of a network before its heads: ``(B, H, W, 3)`` → decoded features ``(B, H, W, decoded_channels)``."""
    return keras.Model(model.input, model.get_layer("backbone_level0_up_add").output, name=f"{model.name}_backbone")


def part_of(layer_name: str) -> str:
    """Which of PARTS a layer belongs to; "" for the input, ``segmentation`` and ``classification`` count to their head."""
    for part in PARTS:
        if layer_name.startswith(f"{part}_") or f"{layer_name}_head" == part:
            return part
    return ""


def _check_shape(class_count: int, channels: tuple[int, ...], strides: tuple[int, ...], image_size: int | None) -> None:
    if len(channels) < 2 or len(strides) != len(channels) - 1:
        raise ConfigError(
            f"a UNet of channels {tuple(channels)} cannot have strides {tuple(strides)}.",
            "Give two channels or more, and one stride fewer than channels.",
        )
    if any(stride not in (1, 2) for stride in strides):
        raise ConfigError(f"UNet strides {tuple(strides)} are not all 1 or 2.", "Change strides.")
    if class_count < 2:
        raise ConfigError(f"a UNet cannot tell {class_count} class(es) apart.", "Name two classes or more.")
    reduction = 1
    for stride in strides:
        reduction *= stride
    if image_size is not None and (image_size < reduction or image_size % reduction):
        raise ConfigError(f"image_size {image_size} is not a multiple of {reduction}.", "Choose one that is.")


def _level(x, level: int, filters_out: int, channels, strides, dropout: float, seeds: DropoutSeeds):
    """One level of the U and all below it: down, deeper, join, up."""
    name = f"backbone_level{level}"
    if level == len(channels) - 1:
        return down_unit(x, channels[-1], 1, dropout, seeds, f"{name}_bottom")
    down = down_unit(x, channels[level], strides[level], dropout, seeds, f"{name}_down")
    deeper = _level(down, level + 1, channels[level], channels, strides, dropout, seeds)
    joined = layers.Concatenate(name=f"{name}_skip")([down, deeper])
    return up_unit(joined, filters_out, strides[level], dropout, seeds, f"{name}_up", last=level == 0)


def _segmentation_head(decoded):
    part = "segmentation_head"
    x = convolve(decoded, SEGMENTATION_FILTERS, 3, 1, f"{part}_conv")
    x = batch_norm(f"{part}_norm")(x)
    x = layers.ReLU(name=f"{part}_relu")(x)
    x = convolve(x, 1, 1, 1, f"{part}_logit")
    return layers.Activation("sigmoid", dtype="float32", name="segmentation")(x)


def _classification_head(decoded, class_count: int, seeds: DropoutSeeds):
    part = "classification_head"
    x = layers.GlobalAveragePooling2D(name=f"{part}_pool")(decoded)
    for position, (width, rate) in enumerate(zip(CLASSIFICATION_WIDTHS, CLASSIFICATION_DROPOUTS, strict=False), start=1):
        x = seeds.dropout(rate, f"{part}_dropout_{position}")(x)
        x = layers.Dense(width, kernel_initializer=pytorch_uniform(), name=f"{part}_dense_{position}")(x)
        x = layers.ReLU(name=f"{part}_relu_{position}")(x)
        x = batch_norm(f"{part}_norm_{position}")(x)
    x = seeds.dropout(CLASSIFICATION_DROPOUTS[-1], f"{part}_dropout_{len(CLASSIFICATION_DROPOUTS)}")(x)
    return layers.Dense(class_count, kernel_initializer=pytorch_uniform(), dtype="float32", name="classification")(x)
