"""Grad-CAM and Grad-CAM++ of a Keras network by automatic differentiation: the reference for what bundles compute.

The backbone decides nothing here: any network with a convolutional map by name will do. Needs Keras on TensorFlow,
whose GradientTape takes the gradient; Keras itself has no gradients that work on every backend.
"""

from __future__ import annotations

from typing import NamedTuple

import keras
import numpy as np

from pipeline.engine.errors import ConfigError, did_you_mean

FEATURE_MAPS, OUTPUT = "feature_maps", "classification"


class MapGradients(NamedTuple):
    """feature_maps: ``(B, h, w, C)``; gradients: ``(B, h, w, C)``, d logit_k / d feature map; logits: ``(B, K)``; float32."""

    feature_maps: np.ndarray
    gradients: np.ndarray
    logits: np.ndarray


def map_gradients(
    network: keras.Model, images: np.ndarray, class_index: np.ndarray, layer: str = FEATURE_MAPS, output: str = OUTPUT
) -> MapGradients:
    """The gradient of one logit of each image with respect to a feature map.

    Args:
        network: with a layer of that name at its top level, and logits ``(B, K)`` as its output (or as the one that
            is called ``output``).
        images: ``(B, S, S, 1)`` float32, as the network takes them. class_index: ``(B,)`` int, the logit of each.

    Raises:
        ConfigError: no such layer, or the logits do not depend on it.
    """
    import tensorflow as tf

    split = keras.Model(network.input, [_layer(network, layer).output, _logits(network, output)])
    given = tf.convert_to_tensor(images)
    with tf.GradientTape() as tape:
        tape.watch(given)
        maps, logits = split(given, training=False)
        chosen = tf.gather(logits, tf.convert_to_tensor(class_index, tf.int64), batch_dims=1)
    gradients = tape.gradient(chosen, maps)
    if gradients is None:
        raise ConfigError(f"{network.name}: the logits do not depend on {layer!r}.", "Name a layer that they are made from.")
    return MapGradients(*(np.asarray(value, np.float32) for value in (maps, gradients, logits)))


def grad_cam(maps: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Grad-CAM ``(B, h, w)`` ≥ 0 (Selvaraju et al. 2017, eq. 1 and 2).

    Args:
        maps, gradients: ``(B, h, w, C)``.
    """
    weights = gradients.mean(axis=(1, 2), keepdims=True)
    return np.maximum((weights * maps).sum(axis=-1), 0)


def grad_cam_plus_plus(maps: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Grad-CAM++ ``(B, h, w)`` ≥ 0 (Chattopadhay et al. 2018, eq. 11 and 19, for a score of exp(logit)).

    The common factor exp(logit) is left out: it scales a map without changing it. Where the denominator is zero so is
    the gradient, and the position has no weight.
    """
    squared = gradients**2
    denominator = 2 * squared + (maps * gradients**3).sum(axis=(1, 2), keepdims=True)
    alpha = np.divide(squared, denominator, out=np.zeros_like(squared), where=denominator != 0)
    weights = (alpha * np.maximum(gradients, 0)).sum(axis=(1, 2), keepdims=True)
    return np.maximum((weights * maps).sum(axis=-1), 0)


def _layer(network: keras.Model, name: str) -> keras.layers.Layer:
    names = [layer.name for layer in network.layers]
    if name not in names:
        raise ConfigError(f"{network.name} has no layer {name!r}.{did_you_mean(name, names)}", "Name one of its feature maps.")
    return network.get_layer(name)


def _logits(network: keras.Model, output: str):
    return network.output[output] if isinstance(network.output, dict) else network.output
