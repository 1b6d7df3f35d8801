"""Set a generator against a modality discriminator, as published (``original``) or as intended (``sound``)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from pipeline.training.binary_fit import FitHistory, apply_network, predict_logits, weighted_log_loss
from pipeline.training.epoch_state import EpochState
from pipeline.training.settings import AdversarialSettings


@dataclass(frozen=True)
class ModalityExamples:
    """Embeddings of both modalities ``(N, 1280)`` float32, with ``modality`` (X-ray 1, CT 0), ``covid`` (0/1)."""

    embeddings: np.ndarray
    modality: np.ndarray
    covid: np.ndarray
    train: np.ndarray
    valid: np.ndarray


@dataclass(frozen=True)
class Adversaries:
    generator: keras.Model
    discriminator: keras.Model
    covid_probe: keras.Model


def fit_adversarial(
    adversaries: Adversaries,
    examples: ModalityExamples,
    settings: AdversarialSettings,
    seed: int,
    state_file: Path | None = None,
) -> FitHistory:
    """Train the generator in place; returns losses and discriminator accuracy on generated validation embeddings.

    ``sound``: D minimises BCE(D(e), m) + BCE(D(G(e)), m); G minimises BCE(D(G(e)), 1 - m) + w BCE(probe(G(e)),
    covid) (after Ganin & Lempitsky 2015, with the inverted-label loss in place of gradient reversal). It ends
    when D's validation accuracy on G(e) has stayed within the tolerance of the majority rate, or at the budget.
    ``original``: D minimises BCE(D(e), m) + BCE(D(G(e)), 1 - m), G minimises BCE(D(G(e)), 1 - m), full batch.
    """  # fmt: skip
    sound = settings.objective == "sound"
    optimizers = _optimizers(adversaries, settings)
    step = _step_function(adversaries, optimizers, examples, settings)
    models = [adversaries.generator, adversaries.discriminator, adversaries.covid_probe]
    state = EpochState(state_file, [*models, *optimizers])
    history, first = FitHistory(), 0
    if (restored := state.restore()) is not None:
        history, first = FitHistory(restored[0]["history"], restored[0]["epoch"]), restored[0]["epoch"] + 1
    for epoch in range(first, settings.warmup_epochs + settings.epoch_budget if sound else settings.original_steps):
        if sound and _aligned(history, settings):
            break
        order = np.random.default_rng([seed, epoch]).permutation(examples.train).astype(np.int32)
        size = settings.batch_size if sound else len(order)
        duel = not sound or epoch >= settings.warmup_epochs
        losses = np.mean([[float(x) for x in step(tf.constant(part), duel)] for part in _batches(order, size)], axis=0)
        history.append({"discriminator_loss": losses[0], "generator_loss": losses[1], "covid_loss": losses[2],
                        **_validation(adversaries, examples)})  # fmt: skip
        history.best_epoch = epoch
        state.save({"epoch": epoch, "history": history.epochs}, None)
    return history


def majority_rate(modality: np.ndarray) -> float:
    """Accuracy of always naming the more frequent modality."""
    share = float(np.mean(modality))
    return max(share, 1 - share)


def _aligned(history: FitHistory, settings: AdversarialSettings) -> bool:
    gaps = np.abs(np.subtract(history.epochs.get("discriminator_accuracy", []), history.epochs.get("majority_rate", [])))
    gaps = gaps[settings.warmup_epochs :]
    return len(gaps) >= settings.hold_epochs and bool(np.all(gaps[-settings.hold_epochs :] <= settings.tolerance))


def _batches(order: np.ndarray, size: int) -> list[np.ndarray]:
    """Equal runs of the order, at most ``size`` long apart from rounding, none of them tiny."""
    return np.array_split(order, max(1, round(len(order) / size)))


def _optimizers(adversaries: Adversaries, settings: AdversarialSettings) -> list:
    rate = settings.learning_rate
    slow = settings.discriminator_learning_rate or rate
    chosen = [keras.optimizers.Adam(rate, name="adam_generator"), keras.optimizers.Adam(slow, name="adam_discriminator")]
    chosen[0].build(adversaries.generator.trainable_variables + adversaries.covid_probe.trainable_variables)
    chosen[1].build(adversaries.discriminator.trainable_variables)
    return chosen


def _step_function(adversaries: Adversaries, optimizers: list, examples: ModalityExamples, settings: AdversarialSettings):
    generator, discriminator, probe = adversaries.generator, adversaries.discriminator, adversaries.covid_probe
    embeddings = tf.constant(examples.embeddings, tf.float32)
    modality = tf.constant(examples.modality.reshape(-1, 1), tf.float32)
    covid = tf.constant(examples.covid.reshape(-1, 1), tf.float32)
    sound = settings.objective == "sound"

    def entropy(labels, logits):
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))

    @tf.function(reduce_retracing=True)
    def step(rows, duel):
        real, m, y = tf.gather(embeddings, rows), tf.gather(modality, rows), tf.gather(covid, rows)
        told = m if sound else 1 - m
        with tf.GradientTape() as tape:
            fake = generator(real, training=True)
            d_loss = entropy(m, discriminator(real, training=True)) + entropy(told, discriminator(fake, training=True))
        weights = discriminator.trainable_variables
        optimizers[1].apply_gradients(zip(tape.gradient(d_loss, weights), weights, strict=True))
        with tf.GradientTape() as tape:
            fake = generator(real, training=True)
            g_loss = entropy(1 - m, discriminator(fake, training=True))
            covid_loss = entropy(y, probe(fake, training=True))
            total = g_loss + settings.covid_weight * covid_loss if sound else g_loss + 0.0 * covid_loss
        if duel:
            weights = generator.trainable_variables + probe.trainable_variables
            optimizers[0].apply_gradients(zip(tape.gradient(total, weights), weights, strict=True))
        return d_loss, g_loss, covid_loss

    return step


def _validation(adversaries: Adversaries, examples: ModalityExamples) -> dict[str, float]:
    rows = examples.valid
    generated = apply_network(adversaries.generator, examples.embeddings, rows)
    told = predict_logits(adversaries.discriminator, generated)
    real = predict_logits(adversaries.discriminator, examples.embeddings, rows)
    modality = examples.modality[rows]
    covid = predict_logits(adversaries.covid_probe, generated).astype(np.float64)
    return {
        "discriminator_accuracy": float(np.mean((told >= 0) == (modality == 1))),
        "discriminator_accuracy_real": float(np.mean((real >= 0) == (modality == 1))),
        "majority_rate": majority_rate(modality),
        "val_covid_loss": weighted_log_loss(examples.covid[rows], covid, np.ones(len(rows))),
    }
