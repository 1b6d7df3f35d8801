"""How one network is fitted: read from the configuration, importable without TensorFlow."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pipeline.engine.settings import Settings


class FitSettings(Settings):
    """Training in minibatches with AdamW and early stopping on validation."""

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 100
    """The most passes over the training scans."""
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 32
    """Scans in a minibatch."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    """AdamW's learning rate, the same throughout."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    """AdamW's decoupled weight decay; 0 is Adam."""
    patience: Annotated[int, Field(ge=1)] = 10
    """Epochs without a better one after which the training ends."""
    monitor: Literal["val_loss", "val_accuracy", "val_auc"] = "val_loss"
    """What chooses, on validation, the epoch whose weights are kept."""
    input_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of each input that is zeroed while training, against memorising few scans."""
    mixup: Annotated[float, Field(ge=0, le=10)] = 0.0
    """α of mixup's Beta(α, α) within a minibatch (Zhang et al. 2018, eq. 2); 0: none."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced` gives every class the same total weight in the loss."""


class TailTuning(Settings):
    """Which part of an embedder's backbone is trained too, and how. Batch normalisations stay as they are."""

    after: str
    """The layer behind which the backbone learns; up to it the backbone stays frozen and its maps are stored once."""
    fit: FitSettings = FitSettings(epochs=10, batch_size=16, learning_rate=3e-4, patience=10, monitor="val_auc")
    """The second training, of tail and embedding layer together, begun where the frozen backbone's embedder ended (linear
    probing, then fine-tuning: Kumar et al. 2022)."""


Objective = Literal["sound", "inverted", "original"]
# Rates of generator and discriminator where none is set. The published one is of the losses that it was published with.
LEARNING_RATES: dict[Objective, float] = {"sound": 3e-4, "inverted": 1e-5, "original": 1e-5}
OF_INVERTED = ("warmup_epochs", "hold_epochs", "tolerance")


class AdversarialSettings(Settings):
    """How the generator and the discriminator are set against each other.

    `sound` hides the modality by gradient reversal and is judged by fresh probes. `inverted`, which was called `sound` before,
    trains the generator on the inverted modality label, which rewards swapping the modalities. `original` keeps the published
    losses, which both networks minimise together.
    """

    objective: Objective = "sound"
    """Which losses: gradient reversal, the inverted label, or as published."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = None
    """Adam's rate for the generator; 3e-4 for sound and 1e-5 for the others where none is given."""
    discriminator_learning_rate: Annotated[float, Field(gt=0, le=1)] | None = None
    """Adam's rate for the discriminator; the generator's where none is given."""
    batch_size: Annotated[int, Field(ge=1)] = 128
    """Scans in a minibatch; of sound half are X-rays and half CT slices, every label of each alike."""
    epoch_budget: Annotated[int, Field(ge=1)] = 60
    """Epochs at most (sound, inverted); the ramp of sound ends with the last."""
    label_weight: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the diagnosis in the generator's loss, beside the modality's (sound, inverted)."""
    reversal: Annotated[float, Field(gt=0)] = 1.0
    """Weight of the reversed gradient at the ramp's end (sound)."""
    discriminator_steps: Annotated[int, Field(ge=1, le=100)] = 1
    """Steps of the discriminator for one of the generator (sound)."""
    noise: Annotated[float, Field(ge=0, le=10)] = 0.5
    """Gaussian noise on the embeddings, in standard deviations of each, so that what is aligned is not single scans (sound)."""
    probe_every: Annotated[int, Field(ge=1)] = 5
    """Epochs between two readings of fresh probes, the only epochs that can be kept (sound)."""
    floor_tolerance: Annotated[float, Field(gt=0, lt=0.5)] = 0.06
    """How far above 0.5 the strongest probe's balanced accuracy still counts as hidden (sound)."""
    warmup_epochs: Annotated[int, Field(ge=0)] = 0
    """Epochs in which the discriminator learns alone at first (inverted)."""
    tolerance: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """It ends when the discriminator's accuracy stays this near to that of always naming the commoner modality (inverted)."""
    hold_epochs: Annotated[int, Field(ge=1)] = 3
    """Epochs for which it has to stay there (inverted)."""
    original_steps: Annotated[int, Field(ge=1)] = 10
    """Full-batch steps in all (original)."""

    @model_validator(mode="before")
    @classmethod
    def _former_name(cls, given: Any) -> Any:
        """What label_weight was called when the one diagnosis was COVID: records of runs, and files, may say so still."""
        if isinstance(given, dict) and "covid_weight" in given and "label_weight" not in given:
            return {("label_weight" if name == "covid_weight" else name): value for name, value in given.items()}
        return given

    @property
    def rates(self) -> tuple[float, float]:
        """Adam's rates of the generator and of the discriminator."""
        generator = self.learning_rate or LEARNING_RATES[self.objective]
        return generator, self.discriminator_learning_rate or generator

