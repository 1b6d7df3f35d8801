"""The players of an adversarial training, what they learn from, and their compiled duel."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from pipeline.training.multitask.reused_graphs import architecture_of, compiled_once, copy_variables, double_of, restart


@dataclass(frozen=True)
class ModalityExamples:
    """Embeddings of both modalities ``(N, 1280)`` float32, with ``modality`` (X-ray 1, CT 0), ``labels`` (0 to ``classes`` - 1,
    or -1 where it is not known; `sound` alone reads such rows), ``patients`` ``(N,)``, and rows that train and that choose."""

    embeddings: np.ndarray
    modality: np.ndarray
    labels: np.ndarray
    train: np.ndarray
    valid: np.ndarray
    patients: np.ndarray | None = None
    classes: int = 2


@dataclass(frozen=True)
class Adversaries:
    generator: keras.Model
    discriminator: keras.Model
    label_probe: keras.Model

    def each(self) -> tuple[keras.Model, keras.Model, keras.Model]:
        return self.generator, self.discriminator, self.label_probe


@dataclass(frozen=True)
class Duel:
    """Players of its own, the optimizers of the generator's side and of the discriminator, and compiled steps by name."""

    players: Adversaries
    optimizers: tuple[keras.optimizers.Optimizer, keras.optimizers.Optimizer]
    steps: dict[str, Callable[..., tuple[tf.Tensor, ...]]]

    def give_back(self, adversaries: Adversaries) -> None:
        """Give the adversaries what the players have learnt."""
        for trained, player in zip(self.players.each(), adversaries.each(), strict=True):
            copy_variables(trained, player)


def compiled_duel(
    adversaries: Adversaries, rates: tuple[float, float], key: Hashable, compile_steps: Callable[[Adversaries, tuple], dict],
    momentum: float = 0.9,
) -> Duel:  # fmt: skip
    """A duel of these architectures at the adversaries' initial values, every step taken before forgotten.

    key: tells duels with other steps apart. rates and momentum: Adam's.
    """
    kind = ("duel", *map(architecture_of, adversaries.each()), momentum, key)
    duel = compiled_once(kind, lambda: _compile(adversaries, rates, compile_steps, momentum))
    for player, copy in zip(adversaries.each(), duel.players.each(), strict=True):
        copy_variables(player, copy)
    for optimizer, rate in zip(duel.optimizers, rates, strict=True):
        restart(optimizer, rate)
    return duel


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Mean binary cross-entropy in nats."""
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))


def majority_rate(modality: np.ndarray) -> float:
    """Accuracy of always naming the more frequent modality."""
    share = float(np.mean(modality))
    return max(share, 1 - share)


def _compile(adversaries: Adversaries, rates: tuple[float, float], compile_steps: Callable, momentum: float) -> Duel:
    players = Adversaries(*map(double_of, adversaries.each()))
    names = ("adam_generator", "adam_discriminator")
    optimizers = tuple(keras.optimizers.Adam(rate, beta_1=momentum, name=name) for rate, name in zip(rates, names, strict=True))
    optimizers[0].build(players.generator.trainable_variables + players.label_probe.trainable_variables)
    optimizers[1].build(players.discriminator.trainable_variables)
    return Duel(players, optimizers, compile_steps(players, optimizers))
