"""Fit a network that ends in one logit, with early stopping on validation and resumable epochs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from pipeline.training.epoch_state import EpochState
from pipeline.training.settings import FitSettings

PREDICTION_BATCH = 1024


@dataclass(frozen=True)
class Examples:
    """Network inputs ``(N, F)`` float32 with binary labels ``(N,)`` and the rows of each part."""

    inputs: np.ndarray
    labels: np.ndarray
    train: np.ndarray
    valid: np.ndarray


@dataclass
class FitHistory:
    """One number an epoch: ``loss``, ``val_loss``, ``val_accuracy``, ``val_auc``; and the epoch that was kept."""

    epochs: dict[str, list[float]] = field(default_factory=dict)
    best_epoch: int = 0

    def append(self, numbers: dict[str, float]) -> None:
        for name, number in numbers.items():
            self.epochs.setdefault(name, []).append(float(number))

    def as_json(self) -> dict:
        return {"best_epoch": self.best_epoch, **self.epochs}


def predict_logits(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """Logits ``(N,)`` float32 of a one-logit network for inputs ``(N, F)``."""
    return apply_network(model, inputs)[:, 0]


def apply_network(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """Outputs ``(N, K)`` float32 of a network in inference mode, batch by batch, rows in order."""
    blocks = [
        np.asarray(model(np.ascontiguousarray(inputs[start : start + PREDICTION_BATCH], "float32"), training=False))
        for start in range(0, len(inputs), PREDICTION_BATCH)
    ]
    return np.concatenate(blocks)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Probabilities float32 in [0, 1] from logits, stable at both ends."""
    logits = np.asarray(logits, np.float64)
    return (0.5 * (1 + np.tanh(logits / 2))).astype(np.float32)


def sample_weights(labels: np.ndarray, class_weights: str) -> np.ndarray:
    """Weights ``(N,)`` float32 with mean 1: all ones, or each class carrying half of the total."""
    if class_weights == "none":
        return np.ones(len(labels), np.float32)
    counts = np.bincount(labels.astype(int), minlength=2)
    return (len(labels) / (2 * np.maximum(counts, 1)))[labels.astype(int)].astype(np.float32)


def weighted_log_loss(labels: np.ndarray, logits: np.ndarray, weights: np.ndarray) -> float:
    """Mean binary cross-entropy in nats from logits, weighted."""
    losses = np.logaddexp(0, logits) - labels * logits
    return float(np.average(losses, weights=weights))


def validation_numbers(labels: np.ndarray, logits: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """Validation loss, accuracy at probability 0.5 and AUC."""
    return {
        "val_loss": weighted_log_loss(labels, logits, weights),
        "val_accuracy": float(np.mean((logits >= 0) == (labels == 1))),
        "val_auc": float(roc_auc_score(labels, logits)),
    }


def fit_binary(
    model: keras.Model, examples: Examples, settings: FitSettings, seed: int, state_file: Path | None = None
) -> FitHistory:
    """Train ``model`` in place and leave it with the weights of its best validation epoch.

    Args:
        model: inputs ``(B, F)`` → one logit ``(B, 1)``.
        examples: all rows; only ``examples.train`` is learnt from, only ``examples.valid`` chooses the epoch.
        seed: decides the order of the minibatches; epoch e is the same after a resume.
        state_file: where the state is kept against a kill; removed by the caller once the weights are stored.
    """
    optimizer = keras.optimizers.AdamW(settings.learning_rate, weight_decay=settings.weight_decay, name="adam")
    optimizer.build(model.trainable_variables)
    run_epoch = _epoch_function(model, optimizer, examples, settings)
    state = EpochState(state_file, [model, optimizer])
    history, best, waiting, first = FitHistory(), None, 0, 0
    if (restored := state.restore()) is not None:
        progress, best = restored
        history = FitHistory(progress["history"], progress["best_epoch"])
        waiting, first = progress["waiting"], progress["epoch"] + 1
    sign = -1.0 if settings.monitor == "val_loss" else 1.0
    labels = examples.labels[examples.valid].astype(np.float64)
    valid_weights = sample_weights(examples.labels[examples.valid], settings.class_weights)
    for epoch in range(first, settings.epochs):
        if waiting >= settings.patience:
            break
        order = np.random.default_rng([seed, epoch]).permutation(examples.train).astype(np.int32)
        loss = float(run_epoch(tf.constant(order)))
        logits = predict_logits(model, examples.inputs[examples.valid]).astype(np.float64)
        history.append({"loss": loss, **validation_numbers(labels, logits, valid_weights)})
        scores = sign * np.asarray(history.epochs[settings.monitor])
        if best is None or scores[-1] > scores[history.best_epoch]:
            history.best_epoch, waiting = epoch, 0
            best = [np.asarray(v.value) for v in model.variables]
        else:
            waiting += 1
        state.save({"epoch": epoch, "waiting": waiting, "best_epoch": history.best_epoch, "history": history.epochs}, best)
    for variable, value in zip(model.variables, best or [], strict=True):
        variable.assign(value)
    return history


def _epoch_function(model: keras.Model, optimizer, examples: Examples, settings: FitSettings):
    """One compiled pass over a given order of rows; the last batch may be short but is never a single row."""
    inputs = tf.constant(examples.inputs, tf.float32)
    labels = tf.constant(examples.labels.reshape(-1, 1), tf.float32)
    weights = np.ones(len(examples.labels), np.float32)
    weights[examples.train] = sample_weights(examples.labels[examples.train], settings.class_weights)
    weights = tf.constant(weights.reshape(-1, 1))
    batch, variables = settings.batch_size, model.trainable_variables

    @tf.function(jit_compile=False)
    def run_epoch(order):
        total, rows = tf.constant(0.0), tf.size(order)
        batches = tf.maximum(1, (rows + batch // 2) // batch)
        for position in tf.range(batches):
            stop = tf.where(position == batches - 1, rows, (position + 1) * batch)
            chosen = order[position * batch : stop]
            with tf.GradientTape() as tape:
                logits = model(tf.gather(inputs, chosen), training=True)
                losses = tf.nn.sigmoid_cross_entropy_with_logits(tf.gather(labels, chosen), logits)
                loss = tf.reduce_mean(losses * tf.gather(weights, chosen))
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            total += loss * tf.cast(tf.size(chosen), tf.float32)
        return total / tf.cast(rows, tf.float32)

    return run_epoch
