"""Train one arm again and again: compiled once, begun anew from its seed each time."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from pipeline.engine.seeds import derive_seed
from pipeline.models.fusion import FusionShape, build_fusion, reads_members
from pipeline.models.stored_precision import StoredPrecision, round_kernels
from pipeline.training.class_sampling import row_weights
from pipeline.training.kept_epoch import FitHistory, KeptEpoch, assign
from pipeline.training.probabilities import sigmoid
from pipeline.training.vision_text.settings import FusionFit

PREDICTION_BATCH = 128
WITHHELD = ("image", "note")
SMALLEST_SD = 1e-3
# minibatches among which notes are sorted by length
ALIKE = 4


@dataclass(frozen=True)
class FusionRows:
    """What the arms read, row by row.

    patches: ``(N, P, C)``; image_present: ``(N,)``; tokens: ``(N, T, F)``; note_mask: ``(N, T)``, all float32;
    labels: ``(N,)`` 0/1, 1 = the positive class.
    """

    patches: np.ndarray
    image_present: np.ndarray
    tokens: np.ndarray
    note_mask: np.ndarray
    labels: np.ndarray

    def batch(self, rows: np.ndarray, no_image: np.ndarray, no_note: np.ndarray) -> list[np.ndarray]:
        """The four inputs for ``rows``; ``no_image`` and ``no_note`` ``(n,)`` bool withhold a half, to the network's eye
        as if it had never been there."""
        keep_image = (~no_image).astype(np.float32)[:, None]
        keep_note = (~no_note).astype(np.float32)[:, None]
        mask = self.note_mask[rows] * keep_note
        length = max(1, int(mask.sum(axis=1).max()))
        return [
            self.patches[rows] * keep_image[..., None], self.image_present[rows][:, None] * keep_image,
            self.tokens[rows, :length] * keep_note[..., None], mask[:, :length],
        ]  # fmt: skip


    def means(self) -> FusionRows:
        """The same rows with one member a half: its mean, all that an arm which pools first ever sees."""
        there = self.note_mask.sum(axis=1, keepdims=True)
        read = np.einsum("ntf,nt->nf", self.tokens, self.note_mask) / np.maximum(there, 1)
        return FusionRows(self.patches.mean(axis=1, keepdims=True), self.image_present, read[:, None].astype(np.float32),
                          (there > 0).astype(np.float32), self.labels)  # fmt: skip


class ArmTrainer:
    """One arm's network, compiled once.

    A training begins at the weights that its seed gives and leaves nothing behind for the next one, so that the
    order of trainings changes no number.
    """

    def __init__(self, arm: str, shape: FusionShape, fit: FusionFit, rows: FusionRows, precision: StoredPrecision) -> None:
        self.arm, self.fit, self.precision = arm, fit, precision
        self.use_rows(rows)
        self._shape = shape
        self.model = build_fusion(arm, shape)
        self._optimizer = keras.optimizers.AdamW(fit.learning_rate, weight_decay=fit.weight_decay)
        self._optimizer.build(self.model.trainable_variables)
        self._fresh_optimizer = [np.asarray(variable.value) for variable in self._optimizer.variables]
        doors = [tf.TensorSpec((None, *door.shape[1:]), tf.float32) for door in self.model.inputs]
        column = tf.TensorSpec((None, 1), tf.float32)
        self._step = tf.function(self._train_step, input_signature=[*doors, column, column])
        self._forward = tf.function(lambda *inputs: self.model(list(inputs), training=False), input_signature=doors)

    def use_rows(self, rows: FusionRows) -> None:
        """Train and judge on these from now on: the same cases, read by an encoder that has learnt since."""
        self.rows = rows if reads_members(self.arm) else rows.means()

    def train(self, seed: int, train: np.ndarray, valid: np.ndarray) -> FitHistory:
        """Fit on the rows ``train``; the epoch of least loss on the rows ``valid`` is kept, its kernels rounded."""
        self._begin_anew(seed)
        self._standardise(train)
        weights = np.ones(len(self.rows.labels), np.float32)
        for part in (train, valid):
            weights[part] = row_weights(self.rows.labels[part], "balanced")
        kept = KeptEpoch(self.model, "val_loss", self.fit.patience)
        for epoch in kept.epochs(self.fit.epochs):
            loss = self._epoch(derive_seed(seed, "epoch", epoch), train, weights)
            kept.judge(epoch, {"loss": loss, "val_loss": self._loss(valid, weights)})
        kept.give_back(self.model)
        round_kernels(self.model, self.precision)
        return kept.history

    def probabilities(self, rows: np.ndarray, withheld: str | None = None) -> np.ndarray:
        """``(n,)`` float32 of the positive class; ``withheld`` names a half that the network does not get."""
        return sigmoid(self._logits(rows, withheld))

    def _logits(self, rows: np.ndarray, withheld: str | None = None) -> np.ndarray:
        parts = []
        for start in range(0, len(rows), PREDICTION_BATCH):
            block = rows[start : start + PREDICTION_BATCH]
            hidden = [np.full(len(block), withheld == half) for half in WITHHELD]
            parts.append(self._forward(*self.rows.batch(block, *hidden)).numpy()[:, 0])
        return np.concatenate(parts)

    def _begin_anew(self, seed: int) -> None:
        keras.utils.set_random_seed(seed)
        fresh = build_fusion(self.arm, self._shape, seed % 2**20)
        assign(self.model.variables, (start.value for start in fresh.variables))
        assign(self._optimizer.variables, self._fresh_optimizer)

    def _standardise(self, train: np.ndarray) -> None:
        """Mean and standard deviation of each feature over the members of the training rows."""
        halves = {"image": (self.rows.patches, self._patch_mask()), "note": (self.rows.tokens, self.rows.note_mask)}
        for name, (members, present) in halves.items():
            layer = next((layer for layer in self.model.layers if layer.name == f"{name}_standardise"), None)
            there = train[present[train].any(axis=1)]
            if layer is None or not len(there):
                continue
            values = np.concatenate([members[row][present[row] > 0] for row in there])
            layer.mean.assign(values.mean(axis=0))
            layer.sd.assign(np.maximum(values.std(axis=0), SMALLEST_SD))

    def _patch_mask(self) -> np.ndarray:
        return np.repeat(self.rows.image_present[:, None], self.rows.patches.shape[1], axis=1)

    def _epoch(self, seed: int, train: np.ndarray, weights: np.ndarray) -> float:
        draw = np.random.default_rng(seed)
        total = 0.0
        for rows in self._minibatches(draw, train):
            chance = draw.random(len(rows))
            no_image = chance < self.fit.drop_image
            no_note = chance > 1 - self.fit.drop_note
            inputs = self.rows.batch(rows, no_image, no_note)
            labels = self.rows.labels[rows].astype(np.float32)[:, None]
            total += float(self._step(*inputs, labels, weights[rows][:, None])) * len(rows)
        return total / len(train)

    def _minibatches(self, draw: np.random.Generator, train: np.ndarray) -> list[np.ndarray]:
        """The rows in random order, notes of like length together within each few minibatches: less padding to compute."""
        order = draw.permutation(train)
        lengths = self.rows.note_mask.sum(axis=1)
        batches: list[np.ndarray] = []
        for group in np.array_split(order, max(1, round(len(order) / (self.fit.batch_size * ALIKE)))):
            alike = group[np.argsort(lengths[group], kind="stable")]
            batches += np.array_split(alike, max(1, round(len(alike) / self.fit.batch_size)))
        return [batches[place] for place in draw.permutation(len(batches))]

    def _loss(self, rows: np.ndarray, weights: np.ndarray) -> float:
        logits = self._logits(rows).astype(np.float64)
        losses = np.logaddexp(0, logits) - self.rows.labels[rows] * logits
        return float(np.mean(weights[rows] * losses))

    def _train_step(self, patches, image_present, tokens, note_mask, labels, weights):
        with tf.GradientTape() as tape:
            logits = self.model([patches, image_present, tokens, note_mask], training=True)
            loss = tf.reduce_mean(weights * tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))
        variables = self.model.trainable_variables
        self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

