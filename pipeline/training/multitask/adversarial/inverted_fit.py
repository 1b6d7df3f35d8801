"""Adversarial training on labels turned round: as published (``original``), and with an opponent (``inverted``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from pipeline.training.epoch_state import EpochState
from pipeline.training.kept_epoch import FitHistory, KeptEpoch
from pipeline.training.multitask.adversarial.adversaries import (
    Adversaries,
    ModalityExamples,
    compiled_duel,
    cross_entropy,
    majority_rate,
)
from pipeline.training.multitask.label_fit import apply_network, diagnosis_logits, one_logit, targets_of, weighted_log_loss
from pipeline.training.multitask.reused_graphs import cross_entropies
from pipeline.training.settings import AdversarialSettings


def fit_inverted(
    adversaries: Adversaries,
    examples: ModalityExamples,
    settings: AdversarialSettings,
    seed: int,
    state_file: Path | None = None,
) -> FitHistory:
    """Train the generator in place; returns losses and discriminator accuracy on generated validation embeddings.

    ``inverted``: D minimises BCE(D(e), m) + BCE(D(G(e)), m); G minimises BCE(D(G(e)), 1 - m) + w CE(probe(G(e)),
    label). It ends when D's validation accuracy on G(e) has stayed within the tolerance of the majority rate, or at
    the budget. The inverted label rewards swapping the modalities, and a fooled D is no proof that a fresh one would be.
    ``original``: D minimises BCE(D(e), m) + BCE(D(G(e)), 1 - m), G minimises BCE(D(G(e)), 1 - m), full batch.
    """  # fmt: skip
    opposed = settings.objective == "inverted"
    key = (settings.objective, settings.label_weight)
    duel = compiled_duel(adversaries, settings.rates, key, lambda *of: {"step": _step_function(*of, settings)})
    state = EpochState(state_file, [*duel.players.each(), *duel.optimizers])
    modality, targets = examples.modality.astype(np.float32)[:, None], targets_of(examples.labels, examples.classes)
    kept = KeptEpoch(duel.players.generator, monitor=None, state=state)
    for epoch in kept.epochs(settings.warmup_epochs + settings.epoch_budget if opposed else settings.original_steps):
        if opposed and _fooled(kept.history, settings):
            break
        order = np.random.default_rng([seed, epoch]).permutation(examples.train)
        size = settings.batch_size if opposed else len(order)
        both = tf.constant(not opposed or epoch >= settings.warmup_epochs)
        steps = [
            duel.steps["step"](examples.embeddings[rows], modality[rows], targets[rows], both) for rows in _batches(order, size)
        ]
        losses = np.mean([[float(loss) for loss in step] for step in steps], axis=0)
        kept.judge(epoch, {"discriminator_loss": losses[0], "generator_loss": losses[1], "label_loss": losses[2],
                           **_validation(duel.players, examples)})  # fmt: skip
        kept.save()
    duel.give_back(adversaries)
    return kept.history


def _fooled(history: FitHistory, settings: AdversarialSettings) -> bool:
    gaps = np.abs(np.subtract(history.epochs.get("discriminator_accuracy", []), history.epochs.get("majority_rate", [])))
    gaps = gaps[settings.warmup_epochs :]
    return len(gaps) >= settings.hold_epochs and bool(np.all(gaps[-settings.hold_epochs :] <= settings.tolerance))


def _batches(order: np.ndarray, size: int) -> list[np.ndarray]:
    """Equal runs of the order, at most ``size`` long apart from rounding, none of them tiny."""
    return np.array_split(order, max(1, round(len(order) / size)))


def _step_function(players: Adversaries, optimizers: tuple, settings: AdversarialSettings):
    generator, discriminator, probe = players.each()
    opposed = settings.objective == "inverted"
    widths = (generator.input_shape[-1], 1, probe.output_shape[-1])
    signature = [*(tf.TensorSpec((None, width), tf.float32) for width in widths), tf.TensorSpec((), tf.bool)]

    @tf.function(input_signature=signature)
    def step(real, m, y, both):
        told = m if opposed else 1 - m
        with tf.GradientTape() as tape:
            fake = generator(real, training=True)
            d_loss = cross_entropy(m, discriminator(real, training=True))
            d_loss += cross_entropy(told, discriminator(fake, training=True))
        weights = discriminator.trainable_variables
        optimizers[1].apply_gradients(zip(tape.gradient(d_loss, weights), weights, strict=True))
        with tf.GradientTape() as tape:
            fake = generator(real, training=True)
            g_loss = cross_entropy(1 - m, discriminator(fake, training=True))
            label_loss = tf.reduce_mean(cross_entropies(y, probe(fake, training=True)))
            total = g_loss + settings.label_weight * label_loss if opposed else g_loss + 0.0 * label_loss
        weights = generator.trainable_variables + probe.trainable_variables
        gradients = tape.gradient(total, weights)
        if both:
            optimizers[0].apply_gradients(zip(gradients, weights, strict=True))
        return d_loss, g_loss, label_loss

    return step


def _validation(adversaries: Adversaries, examples: ModalityExamples) -> dict[str, float]:
    rows = examples.valid
    generated = apply_network(adversaries.generator, examples.embeddings, rows)
    told = one_logit(adversaries.discriminator, generated)
    real = one_logit(adversaries.discriminator, examples.embeddings, rows)
    modality = examples.modality[rows]
    diagnosis = diagnosis_logits(adversaries.label_probe, generated).astype(np.float64)
    return {
        "discriminator_accuracy": float(np.mean((told >= 0) == (modality == 1))),
        "discriminator_accuracy_real": float(np.mean((real >= 0) == (modality == 1))),
        "majority_rate": majority_rate(modality),
        "val_label_loss": weighted_log_loss(examples.labels[rows], diagnosis, np.ones(len(rows))),
    }
