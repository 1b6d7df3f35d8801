"""How the multi-head UNet is trained: read from the configuration, importable without TensorFlow."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.training.settings import Settings

Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
Monitor = Literal["val_loss", "val_accuracy", "val_dice"]
Chance = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Epochs = Annotated[int, Field(ge=1, le=10_000)]
REDUCTION = 16


class Architecture(Settings):
    """The network's widths, and the dropout rate of its backbone.

    The defaults are the documents', 6,643,510 trainable parameters with four classes.
    """

    channels: tuple[int, ...] = (32, 64, 128, 256, 512)
    decoded_channels: int = 64
    dropout: Share = 0.1


class SegmentationAugmentation(Settings):
    """What a training scan undergoes, its mask with it; the defaults are the documents'.

    flip: chance of mirroring left and right. rotation: chance of a uniform angle within ± rotation_degrees. scale,
    shift: bounds of the uniform relative change of size, and of the move as a share of the side. brightness,
    contrast, gamma: bounds of the uniform change of offset (a share of full white), of gain, and of the exponent's
    logarithm. noise: chance of Gaussian noise of σ noise_sigma gray levels. 0 switches an operation off.
    """

    flip: Chance = 0.5
    rotation: Chance = 0.3
    rotation_degrees: Annotated[float, Field(ge=0, le=180)] = 10.0
    scale: Share = 0.0
    shift: Share = 0.0
    brightness: Share = 0.0
    contrast: Share = 0.0
    gamma: Share = 0.0
    noise: Chance = 0.5
    noise_sigma: Annotated[float, Field(ge=0, le=64)] = 5.0


class LossShares(Settings):
    """Weight of each head's loss in the sum."""

    segmentation: Annotated[float, Field(ge=0)] = 1.0
    classification: Annotated[float, Field(ge=0)] = 2.0


class EarlySize(Settings):
    """Epochs at a smaller size, before the profile's own."""

    image_size: Annotated[int, Field(ge=REDUCTION, le=2048, multiple_of=REDUCTION)]
    epochs: Epochs


class SegmentationFit(Settings):
    """AdamW with a plateau or cosine schedule; ``epochs`` at the profile's size follow those of ``early_sizes``.

    plateau: the rate is multiplied by plateau_factor once plateau_patience epochs brought no lower validation loss.
    cosine: it rises for warmup_epochs, then falls to minimum_rate over all epochs, or over decay_epochs; with
    full_size_rate the epochs at the profile's own size have a cosine of their own from that rate. clip_norm bounds
    the norm of the whole gradient. monitor: what chooses the epoch whose weights are kept. keep_every: every n-th
    epoch's weights are kept too. mixed_float16 scales the loss, so that small gradients do not vanish. fuse_pointwise:
    XLA compiles elementwise operations together, which pays for long trainings.
    """

    epochs: Epochs = 100
    early_sizes: tuple[EarlySize, ...] = ()
    batch_size: Annotated[int, Field(ge=2, le=4096)] = 16
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-4
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 1e-4
    schedule: Literal["plateau", "cosine"] = "plateau"
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    plateau_patience: Annotated[int, Field(ge=1)] = 15
    warmup_epochs: Annotated[float, Field(ge=0)] = 0.0
    minimum_rate: Annotated[float, Field(ge=0)] = 1e-7
    decay_epochs: Epochs | None = None
    full_size_rate: Annotated[float, Field(gt=0, le=1)] | None = None
    clip_norm: Annotated[float, Field(gt=0)] | None = 1.0
    precision: Precision = "float32"
    fuse_pointwise: bool = False
    class_weights: Literal["balanced", "none"] = "balanced"
    loss_weights: LossShares = LossShares()
    monitor: Monitor = "val_loss"
    keep_every: Annotated[int, Field(ge=1)] = 20
    augmentation: SegmentationAugmentation | None = SegmentationAugmentation()

    def phases(self, image_size: int) -> list[EarlySize]:
        """Every size with its epochs, the profile's own last."""
        return [*self.early_sizes, EarlySize(image_size=image_size, epochs=self.epochs)]
