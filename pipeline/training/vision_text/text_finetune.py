"""A text encoder's last layers learnt anew on one fold, as a classifier of the notes, before the arms read what it gives."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from pipeline.data.notes.note_tokens import NoteTokens
from pipeline.engine.errors import ConfigError
from pipeline.engine.seeds import derive_seed
from pipeline.models.fusion import MemberMean
from pipeline.models.text_encoders import TextEncoder, round_to_int8
from pipeline.training.class_sampling import row_weights
from pipeline.training.kept_epoch import KeptEpoch, assign
from pipeline.training.vision_text.settings import EncoderSettings

BATCH = 16


class EncoderTuner:
    """Fine-tunes one encoder again and again, each time from its published weights.

    pieces: all rows' notes; labels: ``(N,)`` 0/1. Raises ConfigError where the encoder has fewer layers than asked for.
    """

    def __init__(self, encoder: TextEncoder, pieces: NoteTokens, labels: np.ndarray, settings: EncoderSettings) -> None:
        self._network, self._pieces, self._labels, self._settings = encoder.network, pieces, labels, settings
        _open_last_layers(encoder.network, settings.finetune_layers)
        ids, mask = encoder.network.inputs
        mean = MemberMean(name="note_mean")([encoder.network.output, mask])
        logit = layers.Dense(1, kernel_initializer="zeros", name="note_logit")(mean)
        self._classifier = keras.Model([ids, mask], logit, name="note_classifier")
        self._published = [np.asarray(variable.value) for variable in self._classifier.variables]
        self._optimizer = keras.optimizers.AdamW(settings.finetune_learning_rate, weight_decay=0.01, clipnorm=1.0)
        self._optimizer.build(self._classifier.trainable_variables)
        self._fresh_optimizer = [np.asarray(variable.value) for variable in self._optimizer.variables]
        integers, column = [tf.TensorSpec((None, None), tf.int32)] * 2, tf.TensorSpec((None, 1), tf.float32)
        self._step = tf.function(self._train_step, input_signature=[*integers, column, column])
        self._forward = tf.function(lambda i, m: self._classifier([i, m], training=False), input_signature=integers)

    def fit(self, seed: int, train: np.ndarray, valid: np.ndarray) -> int:
        """Learn from the rows ``train`` that have a note and leave the encoder with the epoch of least loss on ``valid``.

        Its kernels are rounded as the published ones were. Returns that epoch, 1 for the first, 0 where none has a loss.
        """
        keras.utils.set_random_seed(seed)
        assign(self._classifier.variables, self._published)
        assign(self._optimizer.variables, self._fresh_optimizer)
        train, valid = (rows[self._pieces.present[rows]] for rows in (train, valid))
        kept = KeptEpoch(self._classifier, "val_loss")
        for epoch in kept.epochs(self._settings.finetune_epochs):
            order = np.random.default_rng(derive_seed(seed, "epoch", epoch + 1)).permutation(train)
            weights = dict(zip(train, row_weights(self._labels[train], "balanced"), strict=True))
            for rows in np.array_split(order, max(1, round(len(order) / BATCH))):
                given = np.array([weights[row] for row in rows], np.float32)[:, None]
                self._step(*self._inputs(rows), self._labels[rows].astype(np.float32)[:, None], given)
            kept.judge(epoch, {"val_loss": self._loss(valid)})
        learnt = kept.give_back(self._classifier)
        if not learnt:
            assign(self._classifier.variables, self._published)
        if self._settings.precision == "int8":
            # The others are rounded already, and a second time would move them by their last bit.
            round_to_int8(self._network, self._network.trainable_variables)
        return kept.history.best_epoch + 1 if learnt else 0

    def _inputs(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        length = int(self._pieces.mask[rows].sum(axis=1).max())
        return self._pieces.ids[rows, :length], self._pieces.mask[rows, :length]

    def _loss(self, rows: np.ndarray) -> float:
        blocks = [rows[at : at + BATCH] for at in range(0, len(rows), BATCH)]
        logits = np.concatenate([self._forward(*self._inputs(block)).numpy()[:, 0] for block in blocks]).astype(np.float64)
        losses = np.logaddexp(0, logits) - self._labels[rows] * logits
        return float(np.mean(row_weights(self._labels[rows], "balanced") * losses))

    def _train_step(self, ids, mask, labels, weights):
        with tf.GradientTape() as tape:
            logits = self._classifier([ids, mask], training=True)
            loss = tf.reduce_mean(weights * tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))
        variables = self._classifier.trainable_variables
        self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss


def _open_last_layers(network: keras.Model, count: int) -> None:
    """Let the last ``count`` transformer layers learn, and nothing before them."""
    bert = network.get_layer("bert")
    names = [layer.name for layer in bert.layers if layer.name.startswith("transformer_layer_")]
    if count > len(names):
        raise ConfigError(f"encoder.finetune_layers is {count}, the encoder has {len(names)} layers.", "Choose fewer.")
    for layer in bert.layers:
        layer.trainable = layer.name in names[len(names) - count :]
