"""Which layers learn, from which epoch on, and at which rate: the backbone and the head are the two groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
from keras import layers

from pipeline.models.classifier_networks import body_of
from pipeline.training.classifier.settings import ClassifierFit, Layers, UnfreezeStep


@dataclass(frozen=True)
class Thawing:
    """The backbone's schedule: each step frees more of its last layers. ``batch_norm_learns`` frees their statistics too."""

    steps: tuple[UnfreezeStep, ...]
    batch_norm_learns: bool = False

    def last_at(self, epoch: int) -> Layers:
        """How many of the last layers learn in an epoch."""
        reached = [step.last for step in self.steps if step.epoch <= epoch]
        return reached[-1] if reached else 0

    def first_epoch(self) -> int | None:
        """The epoch in which the backbone begins to learn; ``None`` where it never does."""
        return next((step.epoch for step in self.steps if step.last), None)

    def changes_at(self, epoch: int) -> bool:
        """Whether other layers learn than in the epoch before."""
        return epoch == 0 or self.last_at(epoch) != self.last_at(epoch - 1)


def free_last_layers(model: keras.Model, last: Layers, batch_norm_learns: bool) -> None:
    """Freeze the backbone of a classifier but for its last layers, counted as ``body.layers`` lists them.

    A frozen batch normalisation uses its stored statistics, in training too.
    """
    body = body_of(model)
    body.trainable = True
    count = len(body.layers) if last == "all" else last
    for place, layer in enumerate(body.layers):
        normalises = isinstance(layer, layers.BatchNormalization)
        layer.trainable = place >= len(body.layers) - count and (batch_norm_learns or not normalises)


def variable_groups(model: keras.Model) -> dict[str, list[keras.Variable]]:
    """The trainable variables of each group, an empty group left out. A network without a backbone is all head."""
    inner = {id(v) for layer in model.layers if isinstance(layer, keras.Model) for v in layer.trainable_variables}
    groups = {
        "backbone": [v for v in model.trainable_variables if id(v) in inner],
        "head": [v for v in model.trainable_variables if id(v) not in inner],
    }
    return {name: variables for name, variables in groups.items() if variables}


def build_optimizers(
    groups: dict[str, Sequence[keras.Variable]], fit: ClassifierFit, steps_an_epoch: int, backbone_from: int = 0
) -> dict[str, keras.optimizers.Optimizer]:
    """A built AdamW for each group at the group's rate; schedule, clipping and accumulation are Keras's.

    Args:
        groups: every variable that will learn at any time.
        steps_an_epoch: minibatches, before accumulation (Keras's schedules count those).
        backbone_from: the epoch in which the backbone begins; its warm-up and its cosine begin there.
    """
    optimizers = {}
    for name, variables in groups.items():
        epochs = fit.epochs - (backbone_from if name == "backbone" else 0)
        rate = fit.backbone_learning_rate if name == "backbone" else fit.learning_rate
        optimizer = keras.optimizers.AdamW(
            _rate(rate, fit, steps_an_epoch, max(epochs, 1)), weight_decay=fit.weight_decay, global_clipnorm=fit.clip_norm,
            gradient_accumulation_steps=fit.accumulation_steps if fit.accumulation_steps > 1 else None, name=f"adamw_{name}",
        )  # fmt: skip
        optimizer.build(list(variables))
        optimizers[name] = optimizer
    return optimizers


def _rate(rate: float, fit: ClassifierFit, steps_an_epoch: int, epochs: int):
    if fit.schedule == "constant":
        return rate
    total = max(1, epochs * steps_an_epoch)
    warm = min(round(fit.warmup_epochs * steps_an_epoch), total - 1)
    if not warm:
        return keras.optimizers.schedules.CosineDecay(rate, total)
    return keras.optimizers.schedules.CosineDecay(0.0, total - warm, warmup_target=rate, warmup_steps=warm)
