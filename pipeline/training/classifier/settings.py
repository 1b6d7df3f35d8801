"""How a classifier is built and fitted: read from the configuration, importable without TensorFlow."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.engine.config import StageConfig
from pipeline.engine.errors import ConfigError
from pipeline.models.backbones.names import NO_FILE, require_backbone
from pipeline.training.image_augmentation import AugmentationSettings
from pipeline.training.settings import Settings

Monitor = Literal["val_loss", "val_accuracy", "val_auc", "val_macro_f1"]
Layers = Annotated[int, Field(ge=0)] | Literal["all"]
Rate = Annotated[float, Field(ge=0, lt=1)]


class HeadSettings(Settings):
    """The head on the pooled features: see ``pipeline.models.classifier_networks.Head``.

    solver ``gradient`` trains it in minibatches as ``fit`` says; ``logistic`` solves a head without hidden layers as a
    logistic regression, and validation chooses among ``inverse_penalties`` (scikit-learn's C).
    """

    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (512,)
    dropout: Rate = 0.5
    feature_dropout: Rate = 0.0
    standardize: bool = False
    solver: Literal["gradient", "logistic"] = "gradient"
    inverse_penalties: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] = (1e-3, 3e-3, 1e-2)

    @model_validator(mode="after")
    def _logistic_is_linear(self) -> HeadSettings:
        if self.solver == "logistic" and self.hidden:
            raise ValueError("solver logistic has no hidden layers: write hidden: []")
        return self


class LossSettings(Settings):
    """``focal_gamma`` 0 is the cross-entropy; ``class_weights: balanced`` gives every class the same total weight."""

    focal_gamma: Annotated[float, Field(ge=0, le=10)] = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    label_smoothing: Rate = 0.0


class ClassifierFit(Settings):
    """Mini-batch training with AdamW, Keras's own schedule, clipping and gradient accumulation.

    learning_rate is the head's, backbone_learning_rate the backbone's. schedule ``cosine`` falls to zero over
    ``epochs`` after ``warmup_epochs`` of rising. clip_norm bounds the norm of each layer group's gradient.
    sampling ``balanced`` draws each class equally often. mixup is α of Beta(α, α) (Zhang et al. 2018, eq. 2).
    mixed_precision computes in bfloat16; weights, logits and loss stay float32.
    """

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 50
    batch_size: Annotated[int, Field(ge=2, le=65_536)] = 32
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-4
    backbone_learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-5
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.0
    schedule: Literal["constant", "cosine"] = "cosine"
    warmup_epochs: Annotated[float, Field(ge=0)] = 0.0
    clip_norm: Annotated[float, Field(gt=0)] | None = 1.0
    accumulation_steps: Annotated[int, Field(ge=1)] = 1
    patience: Annotated[int, Field(ge=1)] = 10
    monitor: Monitor = "val_auc"
    sampling: Literal["shuffled", "balanced"] = "shuffled"
    mixup: Annotated[float, Field(ge=0, le=10)] = 0.0
    mixed_precision: bool = False

    @model_validator(mode="after")
    def _rise_ends(self) -> ClassifierFit:
        if self.schedule == "cosine" and self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs {self.warmup_epochs:g} leaves nothing of {self.epochs} epochs")
        return self


class UnfreezeStep(Settings):
    """From ``epoch`` (0 is the first) on, the last ``last`` layers of the backbone learn."""

    epoch: Annotated[int, Field(ge=0)]
    last: Layers


class FineTuning(Settings):
    """How the backbone learns.

    unfreeze_last: the last k layers of the backbone, or ``all``; unfreeze: instead of it, step by step by epoch.
    warm_head: the head is first fitted on cached frozen features (Kumar et al. 2022: a random head's first
    gradients spoil the backbone). batch_norm ``frozen`` keeps the ImageNet statistics.
    """

    fit: ClassifierFit = ClassifierFit()
    unfreeze_last: Layers = "all"
    unfreeze: tuple[UnfreezeStep, ...] = ()
    warm_head: bool = True
    batch_norm: Literal["frozen", "trained"] = "frozen"

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
    """What is measured, and how validation decides.

    folds > 0 adds a cross-validation by patient over all scans, with the head on cached frozen features.
    threshold: the rule that picks two classes' threshold on validation rows, ``half`` for 0.5; threshold_target is what
    ``sensitivity`` and ``specificity`` must reach.
    """

    folds: Annotated[int, Field(ge=0, le=50)] = 0
    threshold: Literal["half", "youden", "sensitivity", "specificity", "max_f1"] = "youden"
    threshold_target: Annotated[float, Field(gt=0, le=1)] | None = None

    @model_validator(mode="after")
    def _targets_belong(self) -> Validation:
        if (self.threshold in ("sensitivity", "specificity")) != (self.threshold_target is not None):
            raise ValueError("threshold_target goes with threshold: sensitivity or specificity, and with no other")
        return self


class ClassifierConfig(StageConfig):
    """A classifier of a profile's scans.

    classes: the labels to tell apart, in the order of the probabilities; None for all, sorted. mode ``frozen`` fits the
    head on cached features of ``views`` views of each training scan (the scan and ``views`` − 1 augmented copies);
    ``finetune`` then lets the backbone learn from augmented scans, as ``finetuning`` says. taps: names of inner layers
    whose pooled maps join the last one's.
    """

    profile: str = "xray"
    classes: tuple[str, ...] | None = None
    backbone: str = "EfficientNetLite0"
    weights: str = "imagenet"
    taps: tuple[str, ...] = ()
    mode: Literal["frozen", "finetune"] = "frozen"
    head: HeadSettings = HeadSettings()
    fit: ClassifierFit = ClassifierFit()
    loss: LossSettings = LossSettings()
    views: Annotated[int, Field(ge=1, le=100)] = 1
    augmentation: AugmentationSettings = AugmentationSettings()
    finetuning: FineTuning = FineTuning()
    validation: Validation = Validation()
    stored_precision: Literal["float16", "float32"] = "float16"

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
