"""Classifiers over image patches and note pieces: one network for each way of putting the two together.

Every network takes the same four inputs, so that all are trained and compared on the same rows, and each half may be
missing: a missing half is stood in for by a learned vector, and attention always finds one place to look at.
"""

from __future__ import annotations

from typing import NamedTuple

import keras
from keras import layers, ops


class FusionShape(NamedTuple):
    """Sizes of a fusion network: patches of ``patch_width``, pieces of ``token_width``, ``width`` inside."""

    patch_width: int
    token_width: int
    width: int = 64
    heads: int = 4
    dropout: float = 0.3
    input_dropout: float = 0.3


@keras.saving.register_keras_serializable(package="respiratory")
class Standardise(layers.Layer):
    """``(…, F)`` → ``(x - mean) / sd``, with the statistics of the training rows as weights that no gradient moves."""

    def build(self, input_shape):
        self.mean = self.add_weight(name="mean", shape=(input_shape[-1],), initializer="zeros", trainable=False)
        self.sd = self.add_weight(name="sd", shape=(input_shape[-1],), initializer="ones", trainable=False)

    def call(self, inputs):
        return (inputs - self.mean) / self.sd


@keras.saving.register_keras_serializable(package="respiratory")
class MemberMean(layers.Layer):
    """Members ``(B, N, F)`` and their presence ``(B, N)`` → the mean of those present ``(B, F)``, zero where none is."""

    def call(self, inputs):
        sequence, present = inputs
        weights = ops.expand_dims(ops.cast(present, sequence.dtype), -1)
        return ops.sum(sequence * weights, axis=1) / ops.maximum(ops.sum(weights, axis=1), 1.0)

    def compute_output_shape(self, input_shapes):
        return (input_shapes[0][0], input_shapes[0][-1])


@keras.saving.register_keras_serializable(package="respiratory")
class StandIn(layers.Layer):
    """A vector ``(B, F)`` and its half's presence ``(B, N)`` → the vector, or a learned one where no member is present."""

    def build(self, input_shapes):
        self.absent = self.add_weight(name="absent", shape=(input_shapes[0][-1],), initializer="zeros")

    def call(self, inputs):
        vector, present = inputs
        is_there = ops.max(ops.cast(present, vector.dtype), axis=1, keepdims=True)
        return is_there * vector + (1 - is_there) * self.absent

    def compute_output_shape(self, input_shapes):
        return input_shapes[0]


@keras.saving.register_keras_serializable(package="respiratory")
class WithStandIn(layers.Layer):
    """Members ``(B, N, F)`` → ``(B, 1 + N, F)``: a learned vector in front, so that attention finds something to look at."""

    def build(self, input_shape):
        self.absent = self.add_weight(name="absent", shape=(input_shape[-1],), initializer="random_normal")

    def call(self, inputs):
        return ops.concatenate([ops.zeros_like(inputs[:, :1]) + self.absent, inputs], axis=1)

    def compute_output_shape(self, input_shape):
        batch, members, width = input_shape
        return (batch, None if members is None else members + 1, width)


@keras.saving.register_keras_serializable(package="respiratory")
class AttendedMembers(layers.Layer):
    """Presence ``(B, N)`` → ``(B, 1, 1 + N)`` bool: what every query may attend to, the stand-in always."""

    def call(self, inputs):
        first = ops.ones_like(inputs[:, :1])
        return ops.expand_dims(ops.cast(ops.concatenate([first, inputs], axis=1), "bool"), 1)

    def compute_output_shape(self, input_shape):
        batch, members = input_shape
        return (batch, 1, None if members is None else members + 1)


@keras.saving.register_keras_serializable(package="respiratory")
class MemberPresence(layers.Layer):
    """Members ``(B, N, F)`` and their half's presence ``(B, 1)`` → ``(B, N)``: the presence of each."""

    def call(self, inputs):
        sequence, present = inputs
        return ops.ones_like(sequence[:, :, 0]) * present

    def compute_output_shape(self, input_shapes):
        return input_shapes[0][:2]


class Half(NamedTuple):
    """Members ``(B, N, F)`` of one half, their presence ``(B, N)``, and the half's name."""

    members: keras.KerasTensor
    present: keras.KerasTensor
    name: str


def build_fusion(arm: str, shape: FusionShape, seed: int = 0) -> keras.Model:
    """One arm's network, ending in one logit.

    Inputs ``patches (B, P, patch_width)``, ``image_present (B, 1)``, ``tokens (B, T, token_width)`` and ``note_mask
    (B, T)``, all float32, presence and mask 0 or 1. Output ``logit (B, 1)``.

    Arms: ``image_only`` and ``text_only`` read their half's mean member; ``concatenation`` both means side by side;
    ``gated`` lets each feature choose between them (gated multimodal unit, Arevalo et al. 2017, eq. 1-6);
    ``cross_attention`` lets patches attend to pieces and pieces to patches (multi-head, Vaswani et al. 2017). The
    controls are given the other half and do not read it.
    """
    patches = keras.Input((None, shape.patch_width), name="patches")
    image_present = keras.Input((1,), name="image_present")
    tokens = keras.Input((None, shape.token_width), name="tokens")
    note_mask = keras.Input((None,), name="note_mask")
    image = Half(patches, MemberPresence(name="patch_mask")([patches, image_present]), "image")
    note = Half(tokens, note_mask, "note")
    joined = _JOINS[arm](image, note, shape, seed)
    joined = layers.Dropout(shape.dropout, seed=seed + 90, name="dropout_joint")(joined)
    logit = layers.Dense(1, name="logit")(layers.Identity(name="features")(joined))
    return keras.Model([patches, image_present, tokens, note_mask], logit, name=arm)


@keras.saving.register_keras_serializable(package="respiratory")
class ClassShares(layers.Layer):
    """One logit ``(B, 1)`` → the probabilities ``(B, 2)`` of the negative and the positive class."""

    def call(self, inputs):
        return ops.sigmoid(ops.concatenate([-inputs, inputs], axis=-1))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 2)


def with_class_shares(network: keras.Model) -> keras.Model:
    """The network ending in ``classification`` ``(B, 2)``, as a bundle stores it."""
    return keras.Model(network.inputs, ClassShares(name="classification")(network.output), name=f"{network.name}_shares")


def reads_members(arm: str) -> bool:
    """Whether an arm looks at members one by one; the others see only their mean, so they may be fed the mean alone."""
    return arm == "cross_attention"


def _project(x, name: str, shape: FusionShape, seed: int):
    x = Standardise(name=f"{name}_standardise")(x)
    # A feature is dropped from all members at once: neighbouring members would give it back, and it costs less.
    members = (None,) if len(x.shape) == 2 else (None, 1)
    noise_shape = (*members, x.shape[-1])
    x = layers.Dropout(shape.input_dropout, noise_shape=noise_shape, seed=seed, name=f"{name}_dropout")(x)
    return layers.Dense(shape.width, name=f"{name}_projection")(x)


def _mean(half: Half, shape: FusionShape, seed: int):
    """``(B, width)``: the half's mean member at the common width, a learned vector where the half is missing."""
    mean = MemberMean(name=f"{half.name}_mean")([half.members, half.present])
    return StandIn(name=f"{half.name}_absent")([_project(mean, half.name, shape, seed), half.present])


def _joint(x, shape: FusionShape):
    return layers.Dense(shape.width, activation="silu", name="joint")(layers.LayerNormalization(name="joint_norm")(x))


def _image_only(image: Half, note: Half, shape: FusionShape, seed: int):
    return _joint(_mean(image, shape, seed), shape)


def _text_only(image: Half, note: Half, shape: FusionShape, seed: int):
    return _joint(_mean(note, shape, seed), shape)


def _concatenation(image: Half, note: Half, shape: FusionShape, seed: int):
    means = [_mean(image, shape, seed), _mean(note, shape, seed + 1)]
    return _joint(layers.Concatenate(name="both")(means), shape)


def _gated(image: Half, note: Half, shape: FusionShape, seed: int):
    means = [_mean(image, shape, seed), _mean(note, shape, seed + 1)]
    gate = layers.Dense(shape.width, activation="sigmoid", name="gate")(layers.Concatenate(name="both")(means))
    seen, read = (layers.Activation("tanh", name=f"{half.name}_tanh")(mean)
                  for half, mean in zip((image, note), means, strict=True))  # fmt: skip
    difference = layers.Subtract(name="image_minus_note")([seen, read])
    return layers.Add(name="joint")([read, layers.Multiply(name="image_share")([gate, difference])])


def _cross_attention(image: Half, note: Half, shape: FusionShape, seed: int):
    sides = [_members(image, shape, seed), _members(note, shape, seed + 1)]
    looked = _attend(*sides, "image_to_note", shape, seed + 2)
    told = _attend(*sides[::-1], "note_to_image", shape, seed + 3)
    return _joint(layers.Concatenate(name="both")([looked, told]), shape)


def _members(half: Half, shape: FusionShape, seed: int) -> Half:
    x = layers.LayerNormalization(name=f"{half.name}_norm")(_project(half.members, half.name, shape, seed))
    return half._replace(members=WithStandIn(name=f"{half.name}_stand_in")(x))


def _attend(asking: Half, asked: Half, name: str, shape: FusionShape, seed: int):
    """``(B, width)``: the asking half's mean member after it has looked at the other half."""
    # Its weights are not dropped: drawing a number for each pair of patch and piece costs more than the attention.
    heads = shape.heads
    attention = layers.MultiHeadAttention(heads, shape.width // heads, seed=seed, flash_attention=False, name=name)
    allowed = AttendedMembers(name=f"{name}_allowed")(asked.present)
    found = attention(asking.members, asked.members, attention_mask=allowed)
    summed = layers.Add(name=f"{name}_sum")([asking.members, found])
    own = AttendedMembers(name=f"{name}_own")(asking.present)
    weights = layers.Reshape((-1,), name=f"{name}_weights")(own)
    return MemberMean(name=f"{name}_mean")([layers.LayerNormalization(name=f"{name}_norm")(summed), weights])


_JOINS = {
    "image_only": _image_only,
    "text_only": _text_only,
    "concatenation": _concatenation,
    "cross_attention": _cross_attention,
    "gated": _gated,
}
