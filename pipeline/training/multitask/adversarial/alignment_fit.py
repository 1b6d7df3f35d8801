"""Hide the modality from a discriminator by gradient reversal, and keep an epoch at which fresh probes do not find it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from pipeline.evaluation.comparison.alignment_words import CHANCE
from pipeline.training.epoch_state import EpochState
from pipeline.training.kept_epoch import FitHistory, KeptEpoch
from pipeline.training.multitask.adversarial.adversaries import (
    Adversaries,
    Duel,
    ModalityExamples,
    compiled_duel,
    cross_entropy,
)
from pipeline.training.multitask.adversarial.balanced_batches import UNKNOWN, balanced_batches, cells_of
from pipeline.training.multitask.adversarial.modality_probes import even_weights
from pipeline.training.multitask.label_fit import apply_network, targets_of, weighted_log_loss
from pipeline.training.multitask.reused_graphs import cross_entropies
from pipeline.training.settings import AdversarialSettings

# Adam's momentum works against the other player's last move; 0.5 as is usual for such games (Radford et al. 2016).
MOMENTUM = 0.5
RAMP_SLOPE = 10.0
# Added where the modality shows, so that every epoch that hides it comes before every one that does not.
SHOWING = 1000.0
LABEL_PROBE_PENALTY = 0.01
Probe = Callable[[np.ndarray], dict[str, float]]


def fit_alignment(
    adversaries: Adversaries,
    examples: ModalityExamples,
    settings: AdversarialSettings,
    seed: int,
    state_file: Path | None = None,
    *,
    probe: Probe | None = None,
    stop_after: int | None = None,
) -> FitHistory:
    """Train the generator in place by gradient reversal (Ganin & Lempitsky 2015, eq. 4 to 7, and their ramp).

    D minimises BCE(D(G(e)), m); G minimises w CE(probe(G(e)), label) - lambda BCE(D(G(e)), m), one step of both on the
    same minibatch, lambda = r (2 / (1 + e^(-10 p)) - 1) over the budget. Minibatches are balanced over modality and label,
    embeddings disturbed by noise. The reversed gradient drives the scale of G(e) up; at the end the generator's last layer
    is divided by it, which changes nothing else, since all layers are linear or leaky rectifiers.

    probe: generated embeddings ``(N, 1280)`` → balanced accuracy of each fresh probe, asked every ``probe_every`` epochs.
    The kept epoch is that of the smallest ``val_label_loss`` (a fresh linear probe of the diagnosis on G(e), in nats, every
    cell of modality × label weighing alike) among those at which no probe is above 0.5 + ``floor_tolerance``; where there is
    none, that of the weakest reading. stop_after: epochs after which to end and keep the last, without any probe.
    Raises DataError where a modality has no rows, or the label tells the modality.
    """
    cells = cells_of(examples.modality, examples.labels, examples.train)
    duel = _compiled(adversaries, settings)
    spread = np.std(examples.embeddings[examples.train], axis=0, dtype=np.float64).astype(np.float32)
    state = EpochState(state_file, [*duel.players.each(), *duel.optimizers])
    kept = KeptEpoch(duel.players.generator, None if probe is None else "choice_loss", state=state)
    steps = len(balanced_batches(cells, settings.batch_size, np.random.default_rng(seed)))
    for epoch in kept.epochs(min(settings.epoch_budget, stop_after or settings.epoch_budget)):
        numbers = _epoch(duel, examples, cells, settings, spread, (seed, epoch, steps))
        if probe is not None:
            numbers |= _readings(duel.players.generator, examples, settings, epoch, probe)
        kept.judge(epoch, numbers)
        kept.save()
    duel.give_back(adversaries)
    kept.give_back(adversaries.generator)
    _rescale(adversaries.generator, examples.embeddings[examples.train])
    return kept.history


def hidden_at(readings: dict[str, float], tolerance: float) -> bool:
    """Whether the strongest of the probes' balanced accuracies is at the floor."""
    return max(readings.values()) <= CHANCE + tolerance


def ramp(progress: float) -> float:
    """Share of the reversed gradient at a progress in [0, 1]."""
    return 2 / (1 + math.exp(-RAMP_SLOPE * progress)) - 1


def _epoch(
    duel: Duel, examples: ModalityExamples, cells: list, settings: AdversarialSettings, spread: np.ndarray,
    place: tuple[int, int, int],
) -> dict[str, float]:  # fmt: skip
    seed, epoch, steps = place
    draw = np.random.default_rng([seed, epoch])
    rounds = [balanced_batches(cells, settings.batch_size, draw) for _ in range(settings.discriminator_steps)]
    losses = []
    for step in range(steps):
        strength = settings.reversal * ramp((epoch * steps + step) / (settings.epoch_budget * steps))
        for extra, batches in enumerate(rounds[1:], start=1):
            duel.steps["discriminator"](*_minibatch(examples, batches[step]), spread, _noise_seed(seed, epoch, step, extra))
        noise_seed = _noise_seed(seed, epoch, step, 0)
        losses.append(duel.steps["both"](*_minibatch(examples, rounds[0][step]), np.float32(strength), spread, noise_seed))
    told = np.mean([[float(loss) for loss in step] for step in losses], axis=0)
    names = ("discriminator_loss", "label_loss", "discriminator_accuracy")
    return {**dict(zip(names, map(float, told), strict=True)), "reversal": strength}


def _minibatch(examples: ModalityExamples, rows: np.ndarray) -> tuple[np.ndarray, ...]:
    labels = examples.labels[rows]
    known = (labels != UNKNOWN).astype(np.float32)[:, None]
    targets = targets_of(labels, examples.classes) * known
    return examples.embeddings[rows], examples.modality[rows].astype(np.float32)[:, None], targets, known


def _noise_seed(seed: int, epoch: int, step: int, turn: int) -> np.ndarray:
    return np.random.SeedSequence([seed, epoch, step, turn]).generate_state(2).view(np.int32)


def _compiled(adversaries: Adversaries, settings: AdversarialSettings) -> Duel:
    key = ("sound", settings.label_weight, settings.noise)
    return compiled_duel(adversaries, settings.rates, key, lambda *of: _steps(*of, settings), MOMENTUM)


def _steps(players: Adversaries, optimizers: tuple, settings: AdversarialSettings) -> dict[str, Any]:
    generator, discriminator, probe = players.each()
    width = generator.input_shape[-1]
    column, scalar = tf.TensorSpec((None, 1), tf.float32), tf.TensorSpec((), tf.float32)
    targets = tf.TensorSpec((None, probe.output_shape[-1]), tf.float32)
    rows = [tf.TensorSpec((None, width), tf.float32), column, targets, column]
    noise = [tf.TensorSpec((width,), tf.float32), tf.TensorSpec((2,), tf.int32)]

    @tf.custom_gradient
    def reverse(values, strength):
        return tf.identity(values), lambda gradient: (-strength * gradient, None)

    def disturbed(embeddings, spread, noise_seed):
        if not settings.noise:
            return embeddings
        return embeddings + settings.noise * spread * tf.random.stateless_normal(tf.shape(embeddings), noise_seed)

    @tf.function(input_signature=[*rows, scalar, *noise])
    def both(embeddings, m, y, known, strength, spread, noise_seed):
        entering = disturbed(embeddings, spread, noise_seed)
        with tf.GradientTape() as tape:
            hidden = generator(entering, training=True)
            logits = discriminator(reverse(hidden, strength), training=True)
            told = cross_entropy(m, logits)
            losses = known * cross_entropies(y, probe(hidden, training=True))
            diagnosis = tf.reduce_sum(losses) / tf.maximum(tf.reduce_sum(known), 1.0)
            total = told + settings.label_weight * diagnosis
        ours, theirs = generator.trainable_variables + probe.trainable_variables, discriminator.trainable_variables
        gradients = tape.gradient(total, ours + theirs)
        optimizers[0].apply_gradients(zip(gradients[: len(ours)], ours, strict=True))
        optimizers[1].apply_gradients(zip(gradients[len(ours) :], theirs, strict=True))
        return told, diagnosis, tf.reduce_mean(tf.cast((logits >= 0) == (m > 0.5), tf.float32))

    @tf.function(input_signature=[*rows, *noise])
    def discriminator_alone(embeddings, m, y, known, spread, noise_seed):
        hidden = generator(disturbed(embeddings, spread, noise_seed), training=True)
        with tf.GradientTape() as tape:
            told = cross_entropy(m, discriminator(hidden, training=True))
        theirs = discriminator.trainable_variables
        optimizers[1].apply_gradients(zip(tape.gradient(told, theirs), theirs, strict=True))
        return (told,)

    return {"both": both, "discriminator": discriminator_alone}


def _readings(
    generator: keras.Model, examples: ModalityExamples, settings: AdversarialSettings, epoch: int, probe: Probe
) -> dict[str, float]:
    """What the fresh probes say after this epoch, NaN where it is none of theirs."""
    last = epoch + 1 == settings.epoch_budget
    if (epoch + 1) % settings.probe_every and not last:
        return dict.fromkeys(("probe_linear", "probe_mlp", "probe_neighbours", "val_label_loss", "choice_loss"), math.nan)
    hidden = apply_network(generator, examples.embeddings)
    readings = probe(hidden)
    loss = _label_loss(hidden, examples)
    choice = loss if hidden_at(readings, settings.floor_tolerance) else SHOWING + max(readings.values())
    return {**{f"probe_{name}": told for name, told in readings.items()}, "val_label_loss": loss, "choice_loss": choice}


def _label_loss(hidden: np.ndarray, examples: ModalityExamples) -> float:
    train, valid = (rows[examples.labels[rows] != UNKNOWN] for rows in (examples.train, examples.valid))
    cells = {part: 2 * examples.labels[rows] + examples.modality[rows] for part, rows in (("train", train), ("valid", valid))}
    scale = StandardScaler().fit(hidden[train])
    fresh = LogisticRegression(C=LABEL_PROBE_PENALTY, max_iter=1000)
    fresh.fit(scale.transform(hidden[train]), examples.labels[train], sample_weight=even_weights(cells["train"]))
    logits = fresh.decision_function(scale.transform(hidden[valid]))
    return weighted_log_loss(examples.labels[valid].astype(np.float64), logits, even_weights(cells["valid"]))


def _rescale(generator: keras.Model, embeddings: np.ndarray) -> None:
    """Divide the last layer's kernel and bias by a factor, so that what it gives varies as the embeddings do."""
    last = [layer for layer in generator.layers if layer.weights][-1]
    wanted, found = (float(np.std(of, dtype=np.float64)) for of in (embeddings, apply_network(generator, embeddings)))
    factor = wanted / max(found, 1e-30)
    last.set_weights([weights * np.float32(factor) for weights in last.get_weights()])
