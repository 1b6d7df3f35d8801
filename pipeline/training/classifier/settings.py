"""How a classifier is built and fitted: read from the configuration, importable without TensorFlow."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.engine.config import StageConfig
from pipeline.engine.errors import ConfigError
from pipeline.engine.settings import Settings
from pipeline.models.backbones.names import NO_FILE, require_backbone
from pipeline.training.image_augmentation import AugmentationSettings

Monitor = Literal["val_loss", "val_accuracy", "val_auc", "val_macro_f1"]
Layers = Annotated[int, Field(ge=0)] | Literal["all"]
Rate = Annotated[float, Field(ge=0, lt=1)]


class HeadSettings(Settings):
    """The head on the pooled features: see ``pipeline.models.classifier_networks.Head``."""

    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (512,)
    """Units of each hidden layer, ReLU after it; `[]`: the logits follow the features."""
    dropout: Rate = 0.5
    """Dropout rate after each hidden layer."""
    feature_dropout: Rate = 0.0
    """Dropout rate on the features that enter."""
    standardize: bool = False
    """Features are first brought to mean 0 and variance 1 of the training scans."""
    solver: Literal["gradient", "logistic"] = "gradient"
    """`gradient` trains the head in minibatches as `fit` says; `logistic` solves a head without hidden layers as a logistic
    regression."""
    inverse_penalties: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] = (1e-3, 3e-3, 1e-2)
    """For `logistic`: the inverse strengths of the penalty (scikit-learn's C) among which validation chooses."""

    @model_validator(mode="after")
    def _logistic_is_linear(self) -> HeadSettings:
        if self.solver == "logistic" and self.hidden:
            raise ValueError("solver logistic has no hidden layers: write hidden: []")
        return self


class LossSettings(Settings):
    """What the classifier's training makes small."""

    focal_gamma: Annotated[float, Field(ge=0, le=10)] = 0.0
    """γ of the focal loss (Lin et al. 2017); 0 is the cross-entropy."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced` gives every class the same total weight."""
    label_smoothing: Rate = 0.0
    """Share of each label that is spread over all classes."""


class ClassifierFit(Settings):
    """Training in minibatches with AdamW, Keras's own schedule, clipping and gradient accumulation."""

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 50
    """The most passes over the training scans."""
    batch_size: Annotated[int, Field(ge=2, le=65_536)] = 32
    """Scans in a minibatch."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-4
    """The head's highest learning rate."""
    backbone_learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-5
    """The backbone's highest learning rate."""
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.0
    """AdamW's decoupled weight decay."""
    schedule: Literal["constant", "cosine"] = "cosine"
    """`cosine` lets the rates fall to zero over all epochs."""
    warmup_epochs: Annotated[float, Field(ge=0)] = 0.0
    """Epochs, or a part of one, in which the rates rise from zero before `cosine` falls."""
    clip_norm: Annotated[float, Field(gt=0)] | None = 1.0
    """Bound of the norm of each layer group's gradient; null: none."""
    accumulation_steps: Annotated[int, Field(ge=1)] = 1
    """Minibatches whose gradients are gathered before a step."""
    patience: Annotated[int, Field(ge=1)] = 10
    """Epochs without a better one after which the training ends."""
    monitor: Monitor = "val_auc"
    """What chooses, on validation, the epoch whose weights are kept."""
    sampling: Literal["shuffled", "balanced"] = "shuffled"
    """`balanced` draws every class equally often in an epoch."""
    mixup: Annotated[float, Field(ge=0, le=10)] = 0.0
    """α of mixup's Beta(α, α) within a minibatch (Zhang et al. 2018, eq. 2); 0: none."""
    mixed_precision: bool = False
    """Compute in bfloat16; weights, logits and loss stay float32."""

    @model_validator(mode="after")
    def _rise_ends(self) -> ClassifierFit:
        if self.schedule == "cosine" and self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs {self.warmup_epochs:g} leaves nothing of {self.epochs} epochs")
        return self


class UnfreezeStep(Settings):
    """From an epoch on, some more of the backbone's layers learn."""

    epoch: Annotated[int, Field(ge=0)]
    """The epoch from which on they learn; 0 is the first."""
    last: Layers
    """How many of the backbone's last layers then learn, or `all`."""


class FineTuning(Settings):
    """How the backbone learns."""

    fit: ClassifierFit = ClassifierFit()
    """The training of backbone and head together."""
    unfreeze_last: Layers = "all"
    """How many of the backbone's last layers learn, or `all`."""
    unfreeze: tuple[UnfreezeStep, ...] = ()
    """Instead of unfreeze_last: more and more layers, epoch by epoch."""
    warm_head: bool = True
    """The head is first fitted on cached frozen features, since a random head's first gradients spoil the backbone (Kumar et
    al. 2022)."""
    batch_norm: Literal["frozen", "trained"] = "frozen"
    """`frozen` keeps the ImageNet statistics of the batch normalisations."""

    @model_validator(mode="after")
    def _only_thaws(self) -> FineTuning:
        epochs = [step.epoch for step in self.unfreeze]
        counts = [float("inf") if step.last == "all" else step.last for step in self.unfreeze]
        if epochs != sorted(set(epochs)) or counts != sorted(counts):
            raise ValueError("unfreeze: epochs must rise and layers must not be frozen again")
        return self

    def steps(self) -> tuple[UnfreezeStep, ...]:
        """The schedule, in order; ``unfreeze_last`` alone is one step at the first epoch."""
        return self.unfreeze or (UnfreezeStep(epoch=0, last=self.unfreeze_last),)


class Validation(Settings):
    """What is measured, and how validation decides."""

    folds: Annotated[int, Field(ge=0, le=50)] = 0
    """Folds of a cross-validation by patient over all scans, with the head on cached frozen features; 0: none."""
    threshold: Literal["half", "youden", "sensitivity", "specificity", "max_f1"] = "youden"
    """The rule that picks two classes' threshold on validation rows; `half` is 0.5."""
    threshold_target: Annotated[float, Field(gt=0, le=1)] | None = None
    """What the rules `sensitivity` and `specificity` must reach; null with any other rule."""

    @model_validator(mode="after")
    def _targets_belong(self) -> Validation:
        if (self.threshold in ("sensitivity", "specificity")) != (self.threshold_target is not None):
            raise ValueError("threshold_target goes with threshold: sensitivity or specificity, and with no other")
        return self


class ClassifierConfig(StageConfig):
    """A classifier of a profile's scans."""

    profile: str = "xray"
    """The profile of s01 whose scans are classified."""
    classes: tuple[str, ...] | None = None
    """The labels to tell apart, in the order of the probabilities; null: all, sorted."""
    backbone: str = "EfficientNetLite0"
    """The image network, by its name in the registry of backbones."""
    weights: str = "imagenet"
    """`imagenet`, `none` (random) or the path of a weight file."""
    taps: tuple[str, ...] = ()
    """Inner layers of the backbone whose pooled maps join the last one's."""
    mode: Literal["frozen", "finetune"] = "frozen"
    """`frozen` fits the head on cached features; `finetune` then lets the backbone learn from augmented scans."""
    head: HeadSettings = HeadSettings()
    """The layers between features and logits."""
    fit: ClassifierFit = ClassifierFit()
    """The training of the head on frozen features."""
    loss: LossSettings = LossSettings()
    """The loss of head and fine-tuning."""
    views: Annotated[int, Field(ge=1, le=100)] = 1
    """Views of each training scan in the cached features: the scan itself and augmented copies."""
    augmentation: AugmentationSettings = AugmentationSettings()
    """What augmented scans undergo."""
    finetuning: FineTuning = FineTuning()
    """How the backbone learns in mode `finetune`."""
    validation: Validation = Validation()
    """Folds, and the rule of the decision threshold."""
    stored_precision: Literal["float16", "float32"] = "float16"
    """Kernels are rounded to it before any figure is taken."""

    @model_validator(mode="after")
    def _logistic_has_its_own_loss(self) -> ClassifierConfig:
        if self.head.solver == "logistic" and self.mode == "frozen" and (self.loss.focal_gamma or self.loss.label_smoothing):
            raise ValueError("loss: solver logistic maximises the plain likelihood; leave focal_gamma and label_smoothing at 0")
        return self

    def weight_files(self) -> list[str]:
        """The user's weight files that the training reads."""
        return [] if self.weights in NO_FILE else [self.weights]

    def check_backbone(self, profile_size: int | None) -> None:
        """Raise ConfigError where the backbone cannot be built at the profile's side."""
        require_backbone(self.backbone, self.weights, profile_size, "s08.backbone: ")
        cropped = self.augmentation.crop_from
        if cropped is not None and profile_size is not None and cropped < profile_size:
            raise ConfigError(f"s08.augmentation.crop_from {cropped} is smaller than the profile's {profile_size} px.",
                              "Name a larger side, or leave it out.")  # fmt: skip
