"""A classifier as one ONNX graph that also gives what Grad-CAM needs: feature maps and the gradient of every logit."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
import onnx
from tf2onnx.handler import tf_op
from tf2onnx.utils import make_name

from pipeline.engine.errors import ConfigError
from pipeline.export.onnx.conversion import OPSET
from pipeline.export.onnx.graphs import convert_network
from pipeline.models.classifier_networks import FEATURE_MAPS, OUTPUT, POOLED_FEATURES

FEATURES, GRADIENTS = "features", "class_activation_gradients"
OUTPUTS = (OUTPUT, FEATURES, FEATURE_MAPS, GRADIENTS)


@tf_op("ReluGrad")
class ReluGradient:
    """How tf2onnx is to write the gradient of ReLU, which it has no rule for: what arrives, where ReLU let through."""

    @classmethod
    def version_9(cls, ctx, node, **kwargs) -> None:
        arriving, passed = node.input
        shape, dtype = ctx.get_shape(node.output[0]), ctx.get_dtype(node.output[0])
        ctx.remove_node(node.name)
        zero = ctx.make_const(make_name("zero"), np.zeros((), np.float32))
        is_open = ctx.make_node("Greater", [passed, zero.output[0]])
        as_number = ctx.make_node("Cast", is_open.output, attr={"to": dtype})
        ctx.make_node("Mul", [arriving, as_number.output[0]], outputs=node.output, shapes=[shape], dtypes=[dtype], name=node.name)


class LogitGradients(keras.layers.Layer):
    """``(B, F)`` pooled features → the gradient of every logit of ``head`` with respect to them, ``(B, K, F)``.

    Traced by TensorFlow's GradientTape, so whatever the head is made of is differentiated, not written down twice.
    """

    def __init__(self, head: keras.Model, **kwargs) -> None:
        super().__init__(**kwargs)
        self.head = head

    def call(self, features):
        import tensorflow as tf

        with tf.GradientTape(persistent=True) as tape:
            tape.watch(features)
            logits = tf.unstack(self.head(features, training=False), axis=1)
        return tf.stack([tape.gradient(logit, features) for logit in logits], axis=1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.head.output_shape[-1], input_shape[-1])


def with_activations(network: keras.Model) -> keras.Model:
    """The same network with four outputs, sharing its weights: OUTPUTS.

    ``classification`` ``(B, K)`` logits; ``features`` ``(B, F)``; ``feature_maps`` ``(B, h, w, C)``;
    ``class_activation_gradients`` ``(B, K, C)``: the gradient of each logit with respect to the means of the feature
    maps, which are the last C of the F features.

    Raises:
        ConfigError: a network without ``feature_maps`` and ``pooled_features``, as `build_classifier` names them.
    """
    names = {layer.name for layer in network.layers}
    missing = [name for name in (FEATURE_MAPS, POOLED_FEATURES) if name not in names]
    if missing:
        raise ConfigError(f"{network.name} has no layer {missing[0]!r}.", "Build it with build_classifier.")
    maps, pooled = network.get_layer(FEATURE_MAPS).output, network.get_layer(POOLED_FEATURES).output
    head = keras.Model(pooled, network.output, name="classifier_head")
    gradients = LogitGradients(head, name="logit_gradients")(pooled)
    outputs = {
        OUTPUT: head(pooled),
        FEATURES: pooled,
        FEATURE_MAPS: maps,
        GRADIENTS: gradients[:, :, pooled.shape[-1] - maps.shape[-1] :],
    }
    return keras.Model(network.input, outputs, name=network.name)


def convert_classifier(network: keras.Model, metadata: Mapping[str, str], opset: int = OPSET) -> onnx.ModelProto:
    """A network of ``build_classifier`` as a graph with the outputs of ``with_activations``, float32 at its doors.

    Raises:
        ConfigError: see ``with_activations``. CorruptArtifactError: the checker refuses the graph.
    """
    return convert_network(with_activations(network), OUTPUTS, metadata, opset)
