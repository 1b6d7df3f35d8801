"""Minibatch training compiled once for each architecture and its settings, then reused with other weights and data.

TensorFlow keeps the graph of an optimizer's update for as long as the process lives, about 27 MB for the networks
here, and tracing it takes longer than some of their trainings. Retraining a chain over seeds and resplits would pay
that for hundreds of networks; they are of a dozen kinds.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf

from pipeline.training.settings import FitSettings

# TensorFlow takes a dozen kinds of training, each compiled once on purpose, for one that is compiled over and over.
tf.get_logger().setLevel(logging.ERROR)

T = TypeVar("T")
_COMPILED: dict[Hashable, Any] = {}


def compiled_once(key: Hashable, compile_anew: Callable[[], T]) -> T:
    """What ``compile_anew`` made for this key, made at the first call and kept while the process lives."""
    if key not in _COMPILED:
        _COMPILED[key] = compile_anew()
    return _COMPILED[key]


def forget_compiled() -> None:
    """Let the next training compile anew."""
    _COMPILED.clear()


def architecture_of(model: keras.Model) -> str:
    """What a network computes, as text: its configuration without its own name and without seeds.

    Seeds decide initial values only; a dropout's live state is one of the network's variables.
    """
    config = {name: value for name, value in model.get_config().items() if name != "name"}
    return json.dumps(_without_seeds(config), sort_keys=True, default=repr)


def _without_seeds(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_seeds(inner) for name, inner in value.items() if name != "seed"}
    if isinstance(value, list | tuple):
        return [_without_seeds(inner) for inner in value]
    return value


def double_of(model: keras.Model) -> keras.Model:
    """A network of the same architecture with variables of its own, to be given values by ``copy_variables``."""
    return model.__class__.from_config(model.get_config())


def copy_variables(source: keras.Model, target: keras.Model) -> None:
    """Give ``target`` every value of ``source``, weights and random states alike."""
    for mine, theirs in zip(target.variables, source.variables, strict=True):
        mine.assign(theirs)


def restart(optimizer: keras.optimizers.Optimizer, learning_rate: float) -> None:
    """Take an Adam back to before its first step: its moments and its step count start at zero."""
    for variable in optimizer.variables:
        variable.assign(np.zeros(variable.shape, variable.dtype))
    optimizer.learning_rate = learning_rate


class CompiledFit:
    """A network of its own with AdamW and one compiled function that runs minibatches.

    ``run_chunk(inputs (n, F), targets (n, 1 or K), weights (n, 1), shares (batches,), noise_seed (2,))`` → summed loss; as many
    targets as the network has logits.
    """

    def __init__(self, model: keras.Model, settings: FitSettings) -> None:
        self.network = double_of(model)
        self._learning_rate = settings.learning_rate
        self.optimizer = keras.optimizers.AdamW(settings.learning_rate, weight_decay=settings.weight_decay, name="adam")
        self.optimizer.build(self.network.trainable_variables)
        self.run_chunk = _chunk_function(self.network, self.optimizer, settings)

    def start_from(self, model: keras.Model) -> None:
        """Take the network's initial values, and forget every step taken before."""
        copy_variables(model, self.network)
        restart(self.optimizer, self._learning_rate)


def compiled_fit(model: keras.Model, settings: FitSettings) -> CompiledFit:
    """The compiled training of this architecture under these settings, at the network's initial values."""
    key = ("fit", architecture_of(model), settings.model_dump_json(exclude={"epochs", "patience", "monitor", "class_weights"}))
    compiled = compiled_once(key, lambda: CompiledFit(model, settings))
    compiled.start_from(model)
    return compiled


def cross_entropies(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of each row ``(n, 1)`` in nats: of a sigmoid where there is one logit, else of a softmax over ``(n, K)``."""
    if logits.shape[-1] == 1:
        return tf.nn.sigmoid_cross_entropy_with_logits(targets, logits)
    return tf.nn.softmax_cross_entropy_with_logits(targets, logits)[:, None]


def _chunk_function(model: keras.Model, optimizer, settings: FitSettings):
    """Compiled minibatches over rows in memory; the last one may be up to half longer or shorter, never a single row."""
    variables, batch, dropped = model.trainable_variables, settings.batch_size, settings.input_dropout
    widths = (model.input_shape[-1], model.output_shape[-1], 1)
    matrices = [tf.TensorSpec((None, width), tf.float32) for width in widths]

    def disturb(chosen, share, noise_seed, position):
        if settings.mixup:
            chosen = share * chosen + (1 - share) * chosen[::-1]
        if dropped:
            drawn = tf.random.stateless_uniform(tf.shape(chosen), noise_seed + tf.stack([0, position * 100_003]))
            chosen = tf.where(drawn < dropped, 0.0, chosen / (1 - dropped))
        return chosen

    @tf.function(input_signature=[*matrices, tf.TensorSpec((None,), tf.float32), tf.TensorSpec((2,), tf.int32)])
    def run_chunk(inputs, labels, weights, shares, noise_seed):
        total, rows, batches = tf.constant(0.0), tf.shape(inputs)[0], tf.size(shares)
        for position in tf.range(batches):
            start, share = position * batch, shares[position]
            stop = tf.where(position == batches - 1, rows, start + batch)
            target, weight = labels[start:stop], weights[start:stop]
            with tf.GradientTape() as tape:
                logits = model(disturb(inputs[start:stop], share, noise_seed, position), training=True)
                losses = share * weight * cross_entropies(target, logits)
                if settings.mixup:
                    other = cross_entropies(target[::-1], logits)
                    losses += (1 - share) * weight[::-1] * other
                loss = tf.reduce_mean(losses)
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            total += loss * tf.cast(stop - start, tf.float32)
        return total

    return run_chunk
