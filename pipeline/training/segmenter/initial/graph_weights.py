"""The weights of a Keras network read back from its ONNX graph: both are walked from their outputs, layer by layer.

Names play no part, for graphs are named after their own order. What a converter puts between the layers (transposes, padding,
cropping) is passed over. A batch normalisation stands in the graph as a scale and a shift, made of four numbers of which two are
lost: it comes back as one with mean 0 and variance 1 - ε that answers the same. A bias that is missing is 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from keras import layers
from onnx import numpy_helper

from pipeline.engine.errors import CorruptArtifactError

# What changes no number: layouts, borders, shapes.
PASSED = ("Transpose", "Pad", "Slice", "Cast", "Identity", "Squeeze", "Reshape", "Unsqueeze", "Flatten", "Dropout")
PASSED_LAYERS = (layers.Dropout, layers.ZeroPadding2D, layers.Cropping2D)
ONE_TO_ONE = {layers.ReLU: ("Relu",), layers.GlobalAveragePooling2D: ("GlobalAveragePool", "ReduceMean")}


class _UnlikeError(Exception):
    """The graph is not this network's at one place."""


class GraphWeights:
    """The weights of one graph, by Keras layer."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.makers = {name: node for node in graph.node for name in node.output}
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.outputs = {door.name for door in graph.output}

    def of(self, network: keras.Model) -> dict[str, list[np.ndarray]]:
        """{layer: its weights} of all layers that have any. Raises _UnlikeError."""
        found: dict[str, list[np.ndarray]] = {}
        for name, tensor in network.output.items():
            found |= self._walk(tensor, name, {})
        return found

    def _walk(self, tensor: Any, name: str, found: dict) -> dict[str, list[np.ndarray]]:
        """The weights behind one Keras tensor, which the graph's tensor `name` is."""
        layer = tensor._keras_history.operation
        if isinstance(layer, layers.InputLayer):
            return found
        if layer.name in found:
            return found
        inputs = layer._inbound_nodes[0].input_tensors
        if isinstance(layer, PASSED_LAYERS):
            return self._walk(inputs[0], name, found)
        if isinstance(layer, layers.Add | layers.Concatenate):
            return self._joined(layer, inputs, name, found)
        weights, before = self._layer(layer, name)
        return self._walk(inputs[0], before, {**found, **({layer.name: weights} if weights else {})})

    def _joined(self, layer: keras.Layer, inputs: list, name: str, found: dict) -> dict[str, list[np.ndarray]]:
        node = self._node(name, "Add" if isinstance(layer, layers.Add) else "Concat")
        orders = [list(node.input)]
        # A converter may turn a sum around; then one of its halves does not fit.
        orders += [orders[0][::-1]] if isinstance(layer, layers.Add) else []
        first: _UnlikeError | None = None
        for order in orders:
            try:
                mine = found
                for tensor, before in zip(inputs, order, strict=True):
                    mine = self._walk(tensor, before, mine)
                return mine
            except _UnlikeError as unlike:
                first = first or unlike
        raise first or _UnlikeError(f"{layer.name} joins nothing")

    def _layer(self, layer: keras.Layer, name: str) -> tuple[list[np.ndarray], str]:
        """A layer's weights in Keras's order, and the graph's tensor before it."""
        if isinstance(layer, layers.BatchNormalization):
            shift, name = self._perhaps(name, "Add", "Mul")
            scale, name = self._with_constant(name, "Mul")
            variance = np.full(scale.size, 1 - layer.epsilon, np.float32)
            shift = shift.ravel() if shift is not None else np.zeros_like(variance)
            return self._fitting(layer, [scale.ravel(), shift, np.zeros_like(variance), variance]), name
        if isinstance(layer, layers.PReLU):
            node = self._node(name, "LeakyRelu")
            slope = next(item.f for item in node.attribute if item.name == "alpha")
            return self._fitting(layer, [np.full(layer.alpha.shape, slope, np.float32)]), node.input[0]
        if isinstance(layer, layers.Dense):
            bias, name = self._perhaps(name, "Add", "MatMul")
            node = self._node(name, "MatMul")
            bias = bias.ravel() if bias is not None else np.zeros(layer.units, np.float32)
            return self._fitting(layer, [self._constant(node.input[1]), bias]), node.input[0]
        if isinstance(layer, layers.Conv2D | layers.Conv2DTranspose):
            return self._convolution(layer, name)
        kinds = next((kinds for kind, kinds in ONE_TO_ONE.items() if isinstance(layer, kind)), ("Sigmoid",))
        return [], self._node(name, *kinds).input[0]

    def _convolution(self, layer: keras.Layer, name: str) -> tuple[list[np.ndarray], str]:
        wanted = "ConvTranspose" if isinstance(layer, layers.Conv2DTranspose) else "Conv"
        bias, name = self._perhaps(name, "Add", wanted)
        node, total = self._node(name, wanted), np.zeros(layer.filters, np.float32)
        total = total if bias is None else total + bias.ravel()
        total = total + self._constant(node.input[2]) if len(node.input) > 2 else total
        kernel = self._constant(node.input[1]).transpose(2, 3, 1, 0)
        return self._fitting(layer, [kernel, total]), node.input[0]

    def _fitting(self, layer: keras.Layer, weights: list[np.ndarray]) -> list[np.ndarray]:
        shapes = [tuple(weight.shape) for weight in layer.weights]
        if [weight.shape for weight in weights] != shapes:
            raise _UnlikeError(f"{layer.name} has the shapes {[weight.shape for weight in weights]}, not {shapes}")
        return weights

    def _node(self, name: str, *wanted: str) -> onnx.NodeProto:
        """The node of one of these kinds that makes a tensor, seen through what changes no number."""
        node = self.makers.get(name)
        while node is not None and node.op_type in PASSED and node.op_type not in wanted:
            node = self.makers.get(node.input[0])
        if node is None or node.op_type not in wanted:
            raise _UnlikeError(f"{node.op_type if node is not None else 'the image'} where {' or '.join(wanted)} should be")
        return node

    def _with_constant(self, name: str, kind: str) -> tuple[np.ndarray, str]:
        """The constant half of a sum or product, and the other half's name."""
        node = self._node(name, kind)
        for own, other in (node.input, node.input[::-1]):
            if self._is_constant(other):
                return self._constant(other), own
        raise _UnlikeError(f"{kind} of two tensors where one of a weight should be")

    def _perhaps(self, name: str, kind: str, next_kind: str) -> tuple[np.ndarray | None, str]:
        """`_with_constant`, or None and the same name where what comes next stands there already: converters leave zeros out."""
        node = self._node(name, kind, next_kind)
        return (None, name) if node.op_type == next_kind else self._with_constant(name, kind)

    def _is_constant(self, name: str) -> bool:
        node = self.makers.get(name)
        return name in self.constants or (node is not None and node.op_type in PASSED and self._is_constant(node.input[0]))

    def _constant(self, name: str) -> np.ndarray:
        while name not in self.constants:
            node = self.makers.get(name)
            if node is None or node.op_type != "Cast":
                raise _UnlikeError("a weight that is computed")
            name = node.input[0]
        return numpy_helper.to_array(self.constants[name]).astype(np.float32)


def read_graph_weights(network: keras.Model, path: Path) -> None:
    """Give a network, in place, the weights of the graph that was made of one like it.

    Raises CorruptArtifactError where the graph is not of such a network: other widths, classes, or a converter that has merged
    layers (a batch normalisation into the convolution before it).
    """
    try:
        weights = GraphWeights(onnx.load(path).graph).of(network)
    except _UnlikeError as cause:
        mend = "Give the same channels as the bundle's network; s07.architecture names them."
        raise CorruptArtifactError(f"{path} cannot be read back as this network: {cause}.", mend) from cause
    for name, values in weights.items():
        network.get_layer(name).set_weights(values)
    bare = [layer.name for layer in network.layers if layer.weights and layer.name not in weights]
    if bare:
        raise CorruptArtifactError(f"{path} holds no weights of {', '.join(bare[:3])}.", "Give another bundle.")
