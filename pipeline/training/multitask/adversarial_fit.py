"""Set a generator against a modality discriminator, as published (``original``) or as intended (``sound``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from pipeline.training.epoch_state import EpochState
from pipeline.training.kept_epoch import FitHistory, KeptEpoch
from pipeline.training.multitask.one_logit_fit import apply_network, one_logit, weighted_log_loss
from pipeline.training.multitask.reused_graphs import architecture_of, compiled_once, copy_variables, double_of, restart
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

    def each(self) -> tuple[keras.Model, keras.Model, keras.Model]:
        return self.generator, self.discriminator, self.covid_probe


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
    duel = _compiled_duel(adversaries, settings)
    state = EpochState(state_file, [*duel.players.each(), *duel.optimizers])
    modality, covid = (labels.astype(np.float32)[:, None] for labels in (examples.modality, examples.covid))
    kept = KeptEpoch(duel.players.generator, monitor=None, state=state)
    for epoch in kept.epochs(settings.warmup_epochs + settings.epoch_budget if sound else settings.original_steps):
        if sound and _aligned(kept.history, settings):
            break
        order = np.random.default_rng([seed, epoch]).permutation(examples.train)
        size = settings.batch_size if sound else len(order)
        both = tf.constant(not sound or epoch >= settings.warmup_epochs)
        steps = [duel.step(examples.embeddings[rows], modality[rows], covid[rows], both) for rows in _batches(order, size)]
        losses = np.mean([[float(loss) for loss in step] for step in steps], axis=0)
        kept.judge(epoch, {"discriminator_loss": losses[0], "generator_loss": losses[1], "covid_loss": losses[2],
                           **_validation(duel.players, examples)})  # fmt: skip
        kept.save()
    for trained, player in zip(duel.players.each(), adversaries.each(), strict=True):
        copy_variables(trained, player)
    return kept.history


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


@dataclass(frozen=True)
class _Duel:
    """Players of its own, their optimizers, and the compiled ``step(embeddings, modality, covid, both)``."""

    players: Adversaries
    optimizers: tuple[keras.optimizers.Optimizer, keras.optimizers.Optimizer]
    step: Callable[..., tuple[tf.Tensor, tf.Tensor, tf.Tensor]]


def _compiled_duel(adversaries: Adversaries, settings: AdversarialSettings) -> _Duel:
    """The compiled duel of these architectures under these settings, at the players' initial values."""
    key = ("duel", *map(architecture_of, adversaries.each()), settings.model_dump_json())
    duel = compiled_once(key, lambda: _compile_duel(adversaries, settings))
    for player, copy in zip(adversaries.each(), duel.players.each(), strict=True):
        copy_variables(player, copy)
    for optimizer, rate in zip(duel.optimizers, _learning_rates(settings), strict=True):
        restart(optimizer, rate)
    return duel


def _learning_rates(settings: AdversarialSettings) -> tuple[float, float]:
    """Of the generator and of the discriminator."""
    return settings.learning_rate, settings.discriminator_learning_rate or settings.learning_rate


def _compile_duel(adversaries: Adversaries, settings: AdversarialSettings) -> _Duel:
    players = Adversaries(*map(double_of, adversaries.each()))
    rates = _learning_rates(settings)
    names = ("adam_generator", "adam_discriminator")
    optimizers = tuple(keras.optimizers.Adam(rate, name=name) for rate, name in zip(rates, names, strict=True))
    optimizers[0].build(players.generator.trainable_variables + players.covid_probe.trainable_variables)
    optimizers[1].build(players.discriminator.trainable_variables)
    return _Duel(players, optimizers, _step_function(players, optimizers, settings))


def _step_function(players: Adversaries, optimizers: tuple, settings: AdversarialSettings):
    generator, discriminator, probe = players.each()
    sound = settings.objective == "sound"
    labels = tf.TensorSpec((None, 1), tf.float32)
    signature = [tf.TensorSpec((None, generator.input_shape[-1]), tf.float32), labels, labels, tf.TensorSpec((), tf.bool)]

    def entropy(labels, logits):
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))

    @tf.function(input_signature=signature)
    def step(real, m, y, both):
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
        weights = generator.trainable_variables + probe.trainable_variables
        gradients = tape.gradient(total, weights)
        if both:
            optimizers[0].apply_gradients(zip(gradients, weights, strict=True))
        return d_loss, g_loss, covid_loss

    return step


def _validation(adversaries: Adversaries, examples: ModalityExamples) -> dict[str, float]:
    rows = examples.valid
    generated = apply_network(adversaries.generator, examples.embeddings, rows)
    told = one_logit(adversaries.discriminator, generated)
    real = one_logit(adversaries.discriminator, examples.embeddings, rows)
    modality = examples.modality[rows]
    covid = one_logit(adversaries.covid_probe, generated).astype(np.float64)
    return {
        "discriminator_accuracy": float(np.mean((told >= 0) == (modality == 1))),
        "discriminator_accuracy_real": float(np.mean((real >= 0) == (modality == 1))),
        "majority_rate": majority_rate(modality),
        "val_covid_loss": weighted_log_loss(examples.covid[rows], covid, np.ones(len(rows))),
    }
