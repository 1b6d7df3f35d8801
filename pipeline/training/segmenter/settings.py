"""How the multi-head UNet is trained: read from the configuration, importable without TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from pipeline.engine.settings import Settings

Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
Monitor = Literal["val_loss", "val_accuracy", "val_dice"]
Chance = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Epochs = Annotated[int, Field(ge=1, le=10_000)]
REDUCTION = 16


def is_bundle(initial_weights: str) -> bool:
    """Whether weights to start from are a bundle: its folder, or a single graph with its metadata beside it."""
    return initial_weights.endswith(".onnx") or (Path(initial_weights) / "bundle.json").is_file()


def description_of(bundle: Path) -> Path:
    """The file that describes a bundle's network: in its folder, or beside its single graph."""
    return bundle / "bundle.json" if bundle.is_dir() else bundle.with_name(f"{bundle.name}.meta.json")


def files_of_start(initial_weights: str) -> list[Path]:
    """The files that decide what a training starts from. A bundle's description has the hashes of all its other files, which are
    compared before they are read; a single graph's has none."""
    given = Path(initial_weights)
    if not is_bundle(initial_weights):
        return [given]
    return [description_of(given)] if given.is_dir() else [given, description_of(given)]


class Architecture(Settings):
    """The network's widths. The defaults are the documents', 6,643,510 trainable parameters with four classes."""

    channels: tuple[Annotated[int, Field(ge=1)], ...] = (32, 64, 128, 256, 512)
    """Feature maps of each level, the bottom one last."""
    decoded_channels: Annotated[int, Field(ge=1)] = 64
    """Feature maps that both heads read."""
    dropout: Share = 0.1
    """Dropout rate after every batch normalisation before the heads."""


class SegmentationAugmentation(Settings):
    """What a training scan undergoes, its mask with it; the defaults are the documents'. 0 switches an operation off."""

    flip: Chance = 0.5
    """Chance of mirroring left and right."""
    rotation: Chance = 0.3
    """Chance of a rotation about the centre."""
    rotation_degrees: Annotated[float, Field(ge=0, le=180)] = 10.0
    """The angle is uniform within plus or minus this, degrees."""
    scale: Share = 0.0
    """Bound of the uniform relative change of size."""
    shift: Share = 0.0
    """Bound of the uniform move along each axis, as a share of the side."""
    brightness: Share = 0.0
    """Bound of the uniform offset, as a share of full white."""
    contrast: Share = 0.0
    """Bound of the uniform change of the gain."""
    gamma: Share = 0.0
    """Bound of the uniform logarithm of the exponent."""
    noise: Chance = 0.5
    """Chance of Gaussian noise."""
    noise_sigma: Annotated[float, Field(ge=0, le=64)] = 5.0
    """The noise's σ, gray levels of 255."""


class LossShares(Settings):
    """Weight of each head's loss in the sum."""

    segmentation: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the outline's loss: Dice + binary cross-entropy."""
    classification: Annotated[float, Field(ge=0)] = 2.0
    """Weight of the diagnosis's cross-entropy."""


class EarlySize(Settings):
    """Epochs at a smaller size, before the profile's own."""

    image_size: Annotated[int, Field(ge=REDUCTION, le=2048, multiple_of=REDUCTION)]
    """Side of the pictures, px."""
    epochs: Epochs
    """Epochs at this size."""


class SegmentationFit(Settings):
    """Training in minibatches with AdamW and a plateau or cosine schedule."""

    epochs: Epochs = 100
    """Epochs at the profile's own size, after those of early_sizes."""
    early_sizes: tuple[EarlySize, ...] = ()
    """Epochs at smaller sizes first, each beginning with the best weights of the one before."""
    batch_size: Annotated[int, Field(ge=2, le=4096)] = 16
    """Scans in a minibatch."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-4
    """The first learning rate; with `cosine` the highest."""
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 1e-4
    """AdamW's decoupled weight decay."""
    schedule: Literal["plateau", "cosine"] = "plateau"
    """`plateau` lowers the rate where validation no longer improves; `cosine` lets it rise and then fall over all epochs."""
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """`plateau`: what the rate is multiplied by."""
    plateau_patience: Annotated[int, Field(ge=1)] = 15
    """`plateau`: epochs without a lower validation loss before it is."""
    warmup_epochs: Annotated[float, Field(ge=0)] = 0.0
    """`cosine`: epochs, or a part of one, in which the rate rises."""
    minimum_rate: Annotated[float, Field(ge=0)] = 1e-7
    """The rate does not fall below this."""
    decay_epochs: Epochs | None = None
    """`cosine`: the epoch at which the rate has fallen to minimum_rate; null: the last."""
    full_size_rate: Annotated[float, Field(gt=0, le=1)] | None = None
    """`cosine`: the epochs at the profile's own size have a cosine of their own from this rate; null: one cosine for all."""
    clip_norm: Annotated[float, Field(gt=0)] | None = 1.0
    """Bound of the norm of the whole gradient; null: none."""
    precision: Precision = "float32"
    """What is computed in; weights stay float32, and `mixed_float16` scales the loss so that small gradients do not vanish."""
    fuse_pointwise: bool = False
    """XLA compiles elementwise operations together: half a minute for each size, which pays for long trainings."""
    class_weights: Literal["balanced", "none"] = "balanced"
    """`balanced` weights a class k by N / (K · n_k) in the diagnosis's loss."""
    loss_weights: LossShares = LossShares()
    """Weights of the two heads' losses in the sum."""
    monitor: Monitor = "val_dice"
    """What chooses, on validation, the epoch whose weights are kept; val_loss where no validation scan has a mask. Early in a
    training the joint loss (val_loss) may be least where no lung is outlined yet."""
    keep_every: Annotated[int, Field(ge=1)] = 20
    """Every n-th epoch's weights are kept too."""
    augmentation: SegmentationAugmentation | None = SegmentationAugmentation()
    """What a training scan and its mask undergo; null: nothing."""

    def monitored(self, has_masks: bool) -> Monitor:
        """What chooses the epoch where validation has masks, or has none."""
        return self.monitor if has_masks or self.monitor != "val_dice" else "val_loss"

    def phases(self, image_size: int) -> list[EarlySize]:
        """Every size with its epochs, the profile's own last."""
        return [*self.early_sizes, EarlySize(image_size=image_size, epochs=self.epochs)]
