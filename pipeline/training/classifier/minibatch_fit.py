"""Fit a classifier of K classes, on cached features or on scans, with early stopping and resumable epochs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from pipeline.models.losses.focal import SoftmaxFocalLoss
from pipeline.training.class_sampling import class_weights, epoch_rows
from pipeline.training.classifier.inputs import ClassifierInputs
from pipeline.training.classifier.layer_groups import Thawing, build_optimizers, free_last_layers, variable_groups
from pipeline.training.classifier.scores import validation_scores
from pipeline.training.classifier.settings import ClassifierFit, LossSettings
from pipeline.training.epoch_state import EpochState
from pipeline.training.kept_epoch import FitHistory, KeptEpoch
from pipeline.training.prefetch import prefetched

Track = Callable[[Iterator, int, str], Iterator]


@dataclass(frozen=True)
class ClassifierRows:
    """Classes ``(N,)`` int64 in 0 … K−1 of all rows, the rows to learn from and those that choose the epoch."""

    class_index: np.ndarray
    train: np.ndarray
    valid: np.ndarray
    class_count: int


@dataclass(frozen=True)
class FitPlan:
    """How a network is fitted; ``thawing`` is the backbone's schedule, ``None`` for a head alone."""

    fit: ClassifierFit
    loss: LossSettings = LossSettings()
    thawing: Thawing | None = None


def fit_classifier(
    model: keras.Model, inputs: ClassifierInputs, rows: ClassifierRows, plan: FitPlan, seed: int,
    state_file: Path | None = None, track: Track = lambda steps, total, label: steps,
) -> FitHistory:  # fmt: skip
    """Train ``model`` in place and leave it with the weights of its best validation epoch.

    Args:
        model: ``inputs``' batches → logits ``(B, K)``.
        seed: decides the order of the minibatches and what is drawn; epoch e is the same after a resume.
        state_file: where the state is kept against a kill; removed by the caller once the weights are stored.
        track: shows the progress of one epoch's steps.
    """
    fit = plan.fit
    steps = max(1, round(len(rows.train) / fit.batch_size))
    optimizers = _optimizers(model, plan, steps)
    loss = SoftmaxFocalLoss(
        plan.loss.focal_gamma, class_weights(rows.class_index[rows.train], rows.class_count, plan.loss.class_weights)
    )
    # A frozen variable is part of the state too: the state's order must not depend on the epoch.
    state = EpochState(state_file, [model, *optimizers.values()])
    kept = KeptEpoch(model, fit.monitor, fit.patience, state)
    step = None
    for epoch in kept.epochs(fit.epochs):
        if step is None or (plan.thawing and plan.thawing.changes_at(epoch)):
            step = _step_function(model, optimizers, loss, plan.thawing, epoch)
        batches = _batches(inputs, rows, plan, steps, seed, epoch)
        total = sum(float(step(*batch)) * len(batch[0]) for batch in track(batches, steps, f"epoch {epoch + 1}"))
        logits = class_logits(model, inputs, rows.valid)
        kept.judge(epoch, {"loss": total / len(rows.train), **validation_scores(rows.class_index[rows.valid], logits)})
        kept.save()
    kept.give_back(model)
    return kept.history


def class_logits(model: keras.Model, inputs: ClassifierInputs, rows: np.ndarray) -> np.ndarray:
    """Logits ``(n, K)`` float32 in inference mode, in the order of ``rows``."""
    forward = tf.function(lambda batch: model(batch, training=False),
                          input_signature=[tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)])  # fmt: skip
    blocks = (rows[start : start + inputs.block] for start in range(0, len(rows), inputs.block))
    return np.concatenate([forward(inputs.evaluation(block)).numpy() for block in blocks])


def _optimizers(model: keras.Model, plan: FitPlan, steps: int) -> dict[str, keras.optimizers.Optimizer]:
    """Optimizers over everything that will ever learn, so that their state has one shape from the first epoch on."""
    thawing = plan.thawing
    if thawing is not None:
        free_last_layers(model, thawing.steps[-1].last, thawing.batch_norm_learns)
    groups = variable_groups(model)
    return build_optimizers(groups, plan.fit, steps, (thawing.first_epoch() or 0) if thawing else 0)


def _step_function(model: keras.Model, optimizers: dict, loss: SoftmaxFocalLoss, thawing: Thawing | None, epoch: int):
    """One compiled minibatch of the layers that learn in this epoch: (inputs, targets ``(B, K)``) → mean loss."""
    if thawing is not None:
        free_last_layers(model, thawing.last_at(epoch), thawing.batch_norm_learns)
    groups = variable_groups(model)
    shape = (None, *model.input_shape[1:])

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32), tf.TensorSpec((None, None), tf.float32)])
    def step(inputs, targets):
        with tf.GradientTape() as tape:
            value = loss(targets, model(inputs, training=True))
        gradients = tape.gradient(value, groups)
        for name, variables in groups.items():
            optimizers[name].apply(gradients[name], variables)
        return value

    return step


def _batches(inputs: ClassifierInputs, rows: ClassifierRows, plan: FitPlan, steps: int, seed: int, epoch: int) -> Iterator:
    """The minibatches of an epoch as (inputs, targets)."""
    draw = np.random.default_rng([seed, epoch])
    order = epoch_rows(rows.class_index, rows.train, plan.fit.sampling, draw)
    shares = draw.beta(plan.fit.mixup, plan.fit.mixup, steps) if plan.fit.mixup else np.ones(steps)
    parts = np.array_split(order, steps)
    firsts = np.cumsum([0, *(len(part) for part in parts)])

    def make(place: int) -> tuple[np.ndarray, np.ndarray]:
        chosen, share = parts[place], np.float32(shares[place])
        batch = inputs.training(chosen, seed, epoch, int(firsts[place]))
        targets = _targets(rows.class_index[chosen], rows.class_count, plan.loss.label_smoothing)
        if share < 1:
            batch, targets = (share * values + (1 - share) * values[::-1] for values in (batch, targets))
        return batch, targets

    return prefetched(make, steps)


def _targets(class_index: np.ndarray, class_count: int, smoothing: float) -> np.ndarray:
    one_hot = np.eye(class_count, dtype=np.float32)[class_index]
    return one_hot * np.float32(1 - smoothing) + np.float32(smoothing / class_count)
