"""Fit a network that ends in one logit, or in one for each class, with early stopping on validation and resumable epochs."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from sklearn.metrics import roc_auc_score

from pipeline.data.run_classes import answer_width
from pipeline.engine.arrays import read_selected
from pipeline.engine.errors import DataError
from pipeline.training.class_sampling import row_weights
from pipeline.training.epoch_state import EpochState
from pipeline.training.kept_epoch import FitHistory, KeptEpoch
from pipeline.training.multitask.reused_graphs import CompiledFit, compiled_fit
from pipeline.training.probabilities import log_softmax
from pipeline.training.settings import FitSettings

PREDICTION_BATCH = 1024
PREDICTION_NUMBERS = 2**21
EPOCH_CHUNK = 4096


@dataclass(frozen=True)
class Examples:
    """Network inputs ``(N, F)`` float32 with labels ``(N,)``, 0 to ``classes`` - 1, and the rows of each part."""

    inputs: np.ndarray
    labels: np.ndarray
    train: np.ndarray
    valid: np.ndarray
    classes: int = 2

    @property
    def logits(self) -> int:
        """How many logits a network ends in that tells the classes apart."""
        return answer_width(self.classes)


def rows_of(inputs: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The given rows as float32 ``(n, F)`` in memory; a memory-mapped file is read, so its pages do not pile up."""
    if isinstance(inputs, np.memmap) and isinstance(inputs.base, mmap.mmap):  # a slice of a map has other rows
        return read_selected(Path(str(inputs.filename)), rows).astype(np.float32, copy=False)
    return np.asarray(inputs[rows], np.float32)


def one_logit(model: keras.Model, inputs: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """Logits ``(n,)`` float32 of a one-logit network for ``rows`` of the inputs ``(N, F)``, all of them by default."""
    return apply_network(model, inputs, rows)[:, 0]


def apply_network(model: keras.Model, inputs: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """Outputs ``(n, K)`` float32 of a network in inference mode, in the order of ``rows``."""
    return np.concatenate(list(network_blocks(model, inputs, rows)))


def network_blocks(model: keras.Model, inputs: np.ndarray, rows: np.ndarray | None = None) -> Iterator[np.ndarray]:
    """As ``apply_network``, a block of rows at a time; rows that hold feature maps come in smaller blocks."""
    chosen = np.arange(len(inputs)) if rows is None else rows
    size = max(1, min(PREDICTION_BATCH, PREDICTION_NUMBERS // inputs.shape[1]))
    for start in range(0, len(chosen), size):
        block = rows_of(inputs, chosen[start : start + size])
        yield np.asarray(model(np.ascontiguousarray(block), training=False))


def diagnosis_logits(model: keras.Model, inputs: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """Logits of ``rows`` of the inputs: ``(n,)`` of a network with one, ``(n, K)`` of one with K."""
    found = apply_network(model, inputs, rows)
    return found[:, 0] if found.shape[1] == 1 else found


def targets_of(labels: np.ndarray, classes: int) -> np.ndarray:
    """What a network's logits learn, float32: labels ``(n, 1)`` of two classes, else ``(n, K)`` of 0 and 1; a label of -1, which
    nobody knows, gives a row of zeros of more than two."""
    if answer_width(classes) == 1:
        return labels.astype(np.float32)[:, None]
    return (labels[:, None] == np.arange(classes)).astype(np.float32)


def weighted_log_loss(labels: np.ndarray, logits: np.ndarray, weights: np.ndarray) -> float:
    """Mean cross-entropy in nats, weighted; logits ``(n,)`` of the positive class of two, or ``(n, K)``."""
    if logits.ndim == 1:
        losses = np.logaddexp(0, logits) - labels * logits
    else:
        losses = -log_softmax(logits)[np.arange(len(labels)), labels.astype(np.intp)]
    return float(np.average(losses, weights=weights))


def validation_numbers(labels: np.ndarray, logits: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """Validation loss, accuracy (at probability 0.5 of two classes, else of the most probable one) and AUC (of more than two
    the mean of each class against the rest)."""
    if logits.ndim == 1:
        right, scores, more = (logits >= 0) == (labels == 1), logits, {}
    else:
        right, scores = logits.argmax(axis=1) == labels, np.exp(log_softmax(logits))
        more = {"multi_class": "ovr", "labels": np.arange(logits.shape[1])}
    return {
        "val_loss": weighted_log_loss(labels, logits, weights),
        "val_accuracy": float(np.mean(right)),
        "val_auc": float(roc_auc_score(labels, scores, **more)),
    }


def fit_labels(
    model: keras.Model, examples: Examples, settings: FitSettings, seed: int, state_file: Path | None = None
) -> FitHistory:
    """Train ``model`` in place and leave it with the weights of its best validation epoch.

    Args:
        model: inputs ``(B, F)`` → ``examples.logits`` logits.
        examples: all rows; only ``examples.train`` is learnt from, only ``examples.valid`` chooses the epoch.
        seed: decides the order of the minibatches; epoch e is the same after a resume.
        state_file: where the state is kept against a kill; removed by the caller once the weights are stored.

    Raises DataError where no epoch can be chosen: its number is never one, as the AUC of a class that validation lacks is not.
    """
    compiled = compiled_fit(model, settings)
    run_epoch = _epoch_function(compiled, examples, settings, seed)
    state = EpochState(state_file, [compiled.network, compiled.optimizer])
    kept = KeptEpoch(compiled.network, settings.monitor, settings.patience, state)
    labels = examples.labels[examples.valid].astype(np.float64)
    valid_weights = row_weights(examples.labels[examples.valid], settings.class_weights, examples.classes)
    for epoch in kept.epochs(settings.epochs):
        loss = run_epoch(epoch)
        logits = diagnosis_logits(compiled.network, examples.inputs, examples.valid).astype(np.float64)
        kept.judge(epoch, {"loss": loss, **validation_numbers(labels, logits, valid_weights)})
        kept.save()
    if not kept.give_back(model):
        raise DataError(
            f"No epoch can be chosen: {settings.monitor} was never a number. A class lacks among the validation scans, or the "
            "training fell apart.",
            "Give the class more patients, bring labels together (s01.data.labels), or lower the learning rate.",
        )
    return kept.history


def _epoch_function(compiled: CompiledFit, examples: Examples, settings: FitSettings, seed: int):
    """One pass over the training rows, a chunk of rows in memory at a time: epoch → mean loss."""
    targets = targets_of(examples.labels, examples.classes)
    weights = np.ones(len(targets), np.float32)
    weights[examples.train] = row_weights(examples.labels[examples.train], settings.class_weights, examples.classes)
    chunk = max(1, EPOCH_CHUNK // settings.batch_size) * settings.batch_size

    def run_epoch(epoch: int) -> float:
        draw = np.random.default_rng([seed, epoch])
        order = draw.permutation(examples.train)
        total = 0.0
        for part, rows in enumerate(np.array_split(order, max(1, round(len(order) / chunk)))):
            share = _mixing_shares(draw, settings, len(rows))
            noise_seed = np.array([seed, epoch * 1000 + part], np.int32)
            inputs = rows_of(examples.inputs, rows)
            total += float(compiled.run_chunk(inputs, targets[rows], weights[rows][:, None], share, noise_seed))
        return total / len(order)

    return run_epoch


def _mixing_shares(draw: np.random.Generator, settings: FitSettings, rows: int) -> np.ndarray:
    """Mixup's λ of each minibatch, float32; 1 leaves a minibatch as it is."""
    batches = max(1, (rows + settings.batch_size // 2) // settings.batch_size)
    shares = draw.beta(settings.mixup, settings.mixup, batches) if settings.mixup else np.ones(batches)
    return shares.astype(np.float32)
