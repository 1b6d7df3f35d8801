"""How one network is fitted: read from the configuration, importable without TensorFlow."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """Base of every nested section: unknown keys refused, frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FitSettings(Settings):
    """Mini-batch training with Adam and early stopping on validation.

    ``input_dropout`` zeroes that share of each input while training; ``mixup`` is the α of mixup's Beta(α, α)
    within a minibatch (Zhang et al. 2018, eq. 2), 0 for none. Both fight memorising few scans.
    """

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 100
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 32
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    patience: Annotated[int, Field(ge=1)] = 10
    monitor: Literal["val_loss", "val_accuracy", "val_auc"] = "val_loss"
    input_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    mixup: Annotated[float, Field(ge=0, le=10)] = 0.0
    class_weights: Literal["none", "balanced"] = "none"


class TailTuning(Settings):
    """Which part of an embedder's backbone is trained too, and how.

    after: the layer behind which the backbone learns; up to it the backbone stays frozen and its maps are stored once.
    fit: the second training, of tail and embedding layer together, begun where the frozen backbone's embedder ended
    (linear probing, then fine-tuning: Kumar et al. 2022). Batch normalisations stay as they are.
    """

    after: str
    fit: FitSettings = FitSettings(epochs=10, batch_size=16, learning_rate=3e-4, patience=10, monitor="val_auc")


class AdversarialSettings(Settings):
    """How the generator and the discriminator are set against each other.

    ``original`` keeps the published losses (both minimise the same term), 10 full-batch steps and fine-tuning
    on the modality label; ``sound`` alternates minibatches until the discriminator's validation accuracy on
    generated embeddings is within ``tolerance`` of the majority rate for ``hold_epochs`` epochs in a row.
    ``warmup_epochs`` train the discriminator alone first, so that it is an opponent at all (``sound`` only).
    """

    objective: Literal["sound", "original"] = "sound"
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-5
    discriminator_learning_rate: Annotated[float, Field(gt=0, le=1)] | None = None
    batch_size: Annotated[int, Field(ge=1)] = 32
    warmup_epochs: Annotated[int, Field(ge=0)] = 0
    epoch_budget: Annotated[int, Field(ge=1)] = 100
    original_steps: Annotated[int, Field(ge=1)] = 10
    covid_weight: Annotated[float, Field(ge=0)] = 1.0
    tolerance: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    hold_epochs: Annotated[int, Field(ge=1)] = 3
