"""Keras networks as ONNX graphs: opset 17, dynamic batch, named doors, kernels kept apart from what surrounds them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import onnx
import tensorflow as tf
from onnx import numpy_helper

from pipeline.engine.errors import CorruptArtifactError
from pipeline.export.onnx.conversion import OPSET, convert_function, finish_graph
from pipeline.export.onnx.prelu_fusion import fuse_prelus
from pipeline.export.onnx.reshaped_outputs import squeeze_reshaped_outputs
from pipeline.export.onnx.stored_weights import place_kernels

KERNEL_PREFIX = "kernel:"


def kernels_of(network: keras.Model) -> list[keras.Variable]:
    """The weights with two dimensions or more: what is stored in half precision."""
    return [weight for weight in network.variables if len(weight.shape) >= 2]


def convert_network(
    network: keras.Model, outputs: Sequence[str], metadata: Mapping[str, str], opset: int = OPSET, channels_first: bool = False
) -> onnx.ModelProto:
    """One Keras network as an ONNX graph, float32 at its doors.

    Inputs keep the names and shapes of the network's Keras inputs, with a free first axis ``batch``. A network
    with one output names it ``outputs[0]``; one that returns a dictionary has its keys as ``outputs``. With
    ``channels_first`` its doors of four axes are ``(B, C, H, W)`` in the graph.

    The kernels enter the conversion as arguments and are put back as initialisers afterwards: converters fold a
    batch normalisation into the kernel before it, and a folded kernel is no longer a float16 number.

    Raises:
        CorruptArtifactError: the checker refuses the graph, or a kernel did not reach it.
    """
    kernels = kernels_of(network)
    names = [f"{KERNEL_PREFIX}{position}" for position in range(len(kernels))]
    doors = [tf.TensorSpec((None, *door.shape[1:]), tf.float32, name=door.name) for door in network.inputs]
    arguments = [tf.TensorSpec(k.shape, tf.float32, name=name.replace(":", "_")) for name, k in zip(names, kernels, strict=True)]
    signature = [*doors, *arguments]
    forward = tf.function(_stateless(network, kernels, len(doors), outputs), input_signature=signature)
    turned = _image_doors(network, outputs) if channels_first else {}
    model = convert_function(forward, signature, opset, **turned)
    values = {spec.name: np.asarray(kernel.value, np.float32) for spec, kernel in zip(arguments, kernels, strict=True)}
    _close_captures(model, forward)
    place_kernels(model, values)
    _check_doors(model, [door.name for door in network.inputs], outputs)
    squeeze_reshaped_outputs(model, {name: len(made.shape) for name, made in _outputs_of(network, outputs).items()})
    fuse_prelus(model)
    finish_graph(model, metadata)
    return model


def graph_metadata(class_names: Sequence[str], positive_class: str | None, system: str, schema_version: int) -> dict[str, str]:
    """What each graph says of itself in ``metadata_props``; the class names are a JSON list, of two the negative first. Where no
    class is the positive one, nothing is said of it."""
    positive = {} if positive_class is None else {"positive_class": positive_class}
    return {
        "class_names": json.dumps(list(class_names)),
        **positive,
        "system": system,
        "schema_version": str(schema_version),
    }


def _outputs_of(network: keras.Model, outputs: Sequence[str]) -> dict[str, keras.KerasTensor]:
    return network.output if isinstance(network.output, dict) else {outputs[0]: network.output}


def _image_doors(network: keras.Model, outputs: Sequence[str]) -> dict[str, list[str]]:
    """tf2onnx's arguments that turn the doors of four axes."""
    made = _outputs_of(network, outputs)
    return {
        "inputs_as_nchw": [door.name for door in network.inputs if len(door.shape) == 4],
        "outputs_as_nchw": [name for name in outputs if len(made[name].shape) == 4],
    }


def _stateless(network: keras.Model, kernels: list[keras.Variable], doors: int, outputs: Sequence[str]):
    place = {id(kernel): position for position, kernel in enumerate(kernels)}
    # Read before tracing: inside a graph a variable has no number.
    values = {id(weight): np.asarray(weight.value) for weight in network.variables if id(weight) not in place}

    def stand_in(weight, given):
        return given[place[id(weight)]] if id(weight) in place else tf.constant(values[id(weight)])

    def forward(*arguments):
        given = arguments[doors:]
        trainable = [stand_in(weight, given) for weight in network.trainable_variables]
        fixed = [stand_in(weight, given) for weight in network.non_trainable_variables]
        entering = arguments[0] if doors == 1 else list(arguments[:doors])
        result, _ = network.stateless_call(trainable, fixed, entering, training=False)
        if not isinstance(result, dict):
            result = {outputs[0]: result}
        return {name: tf.identity(result[name]) for name in outputs}

    return forward


def _close_captures(model: onnx.ModelProto, forward) -> None:
    """Make constants of the fixed tensors that layers hold outside their weights (a Normalization's mean).

    The converter declares them as inputs, whether it has folded them already, kept them or still needs them.
    """
    known = {tensor.name for tensor in model.graph.initializer}
    read = {name for node in model.graph.node for name in node.input}
    captures = forward.get_concrete_function().graph.captures
    values = {inner.name: outer.numpy() for outer, inner in captures if outer.dtype != tf.resource}
    for door in [door for door in model.graph.input if door.name in values]:
        model.graph.input.remove(door)
        if door.name in read and door.name not in known:
            model.graph.initializer.append(numpy_helper.from_array(values[door.name], door.name))


def _check_doors(model: onnx.ModelProto, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    found_inputs = [door.name for door in model.graph.input]
    found_outputs = [door.name for door in model.graph.output]
    if sorted(found_inputs) != sorted(inputs) or sorted(found_outputs) != sorted(outputs):
        raise CorruptArtifactError(
            f"the converted graph has inputs {found_inputs} and outputs {found_outputs}; "
            f"expected {list(inputs)} and {list(outputs)}."
        )
