"""One classifier of scans on any backbone: body, pooled features, and the head that the documents describe.

Every network has the same named places, whatever its backbone: ``feature_maps`` (the last convolutional map),
``pooled_features`` (what the head reads) and the output ``classification``. Grad-CAM, the export and the cached
features rely on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers

from pipeline.models.backbones.construction import InputScaling, build_body, tapped_body

FEATURE_MAPS = "feature_maps"
POOLED_FEATURES = "pooled_features"
OUTPUT = "classification"
SCALING_EPSILON = 1e-6


@dataclass(frozen=True)
class Head:
    """Dense layers between the pooled features and the logits.

    hidden: units of each, ReLU after it. dropout: rate after each ReLU. feature_dropout: rate on what enters.
    standardize: features are brought to mean 0 and variance 1 of the training scans first.
    """

    hidden: tuple[int, ...] = (512,)
    dropout: float = 0.5
    feature_dropout: float = 0.0
    standardize: bool = False


def build_classifier(
    backbone: str, image_size: int, class_count: int, head: Head, weights: str | Path = "imagenet",
    taps: Sequence[str] = (), seed: int = 0,
) -> keras.Model:  # fmt: skip
    """Build a classifier with every layer trainable.

    Input ``image``: ``(B, S, S, 1)`` float32 in [0, 1]; the backbone's own scaling is inside.
    Output ``classification``: ``(B, K)`` logits, float32 under a mixed policy too. ``feature_maps`` is ``(B, h, w, C)``,
    ``pooled_features`` ``(B, F)``: the mean of each tapped layer's maps, in order, then the C of ``feature_maps``.

    Args:
        backbone: one of ``names.BACKBONES``.
        weights: ``imagenet``, ``none`` (random, from Keras's global seed) or a file.
        seed: decides what each dropout of the head draws.

    Raises:
        ConfigError: unknown backbone or layer, or weights that cannot be had.
        CorruptArtifactError: a weight file that does not fit.
    """
    body, scaling = build_body(backbone, image_size, weights)
    body = tapped_body(body, taps)
    # Pixels are scaled in float32 whatever the policy: bfloat16 knows 256 gray levels only near zero.
    scaling = InputScaling(scaling.scale, scaling.offset, scaling.reverse_channels, dtype="float32", name="input_scaling")
    image = keras.Input((image_size, image_size, 1), name="image", dtype="float32")
    maps = body(scaling(image))
    *tapped, last = maps if isinstance(maps, list | tuple) else [maps]
    last = layers.Identity(name=FEATURE_MAPS)(last)
    pooled = [layers.GlobalAveragePooling2D(name=f"pool_{place}")(m) for place, m in enumerate([*tapped, last])]
    features = layers.Concatenate(name=POOLED_FEATURES)(pooled) if tapped else layers.Identity(name=POOLED_FEATURES)(pooled[0])
    return keras.Model(image, _head_layers(features, class_count, head, seed), name=f"{backbone.lower()}_classifier")


def build_head(feature_count: int, class_count: int, head: Head, seed: int = 0) -> keras.Model:
    """The head alone, layers named as in the whole network: ``features`` ``(B, F)`` float32 → logits ``(B, K)``."""
    features = keras.Input((feature_count,), name="features")
    return keras.Model(features, _head_layers(features, class_count, head, seed), name="classifier_head")


def feature_extractor(model: keras.Model) -> keras.Model:
    """``image`` → ``pooled_features`` ``(B, F)`` of a classifier, sharing its weights."""
    return keras.Model(model.input, model.get_layer(POOLED_FEATURES).output, name=f"{model.name}_features")


def body_of(model: keras.Model) -> keras.Model:
    """The backbone inside a classifier."""
    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


def head_layers_of(model: keras.Model) -> list[layers.Layer]:
    """The layers of the head that have weights, of a whole classifier or of a head alone."""
    return [layer for layer in model.layers if layer.weights and not isinstance(layer, keras.Model)]


def copy_head(source: keras.Model, target: keras.Model) -> None:
    """Give the head of ``target`` the weights of ``source``'s, layer by layer of the same name."""
    for layer in head_layers_of(source):
        target.get_layer(layer.name).set_weights(layer.get_weights())


def set_feature_scaling(model: keras.Model, features: np.ndarray) -> None:
    """Store the mean and variance ``(F,)`` of the training rows ``(N, F)`` where the head standardizes."""
    mean, variance = features.mean(axis=0, dtype=np.float64), features.var(axis=0, dtype=np.float64)
    # A channel that is silent in training must not be blown up by a scan that wakes it.
    variance = np.maximum(variance, 1e-4 * max(float(variance.mean()), 1e-12))
    model.get_layer("feature_scaling").set_weights([mean.astype(np.float32), variance.astype(np.float32)])


def _head_layers(features, class_count: int, head: Head, seed: int):
    x = features
    if head.standardize:
        x = layers.BatchNormalization(center=False, scale=False, epsilon=SCALING_EPSILON, trainable=False,
                                      dtype="float32", name="feature_scaling")(x)  # fmt: skip
    if head.feature_dropout:
        x = layers.Dropout(head.feature_dropout, seed=seed, name="feature_dropout")(x)
    for place, units in enumerate(head.hidden, start=1):
        x = layers.Dense(units, name=f"dense_{place}")(x)
        x = layers.ReLU(name=f"relu_{place}")(x)
        if head.dropout:
            x = layers.Dropout(head.dropout, seed=seed + place, name=f"dropout_{place}")(x)
    return layers.Dense(class_count, dtype="float32", name=OUTPUT)(x)
