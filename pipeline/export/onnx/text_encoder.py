"""A text encoder as an ONNX graph whose large kernels are stored as INT8, without changing a number that it computes with."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
import onnx
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper

from pipeline.engine.errors import CorruptArtifactError
from pipeline.export.onnx.conversion import check_graph, convert_function, finish_graph
from pipeline.models.text_encoders import INT8_LIMIT, SMALLEST_ROUNDED

IDS, MASK, FEATURES = "note_ids", "note_mask", "token_features"
# a kernel is taken for rounded where scale · q gives it back to this share of its channel's largest number
GRID_TOLERANCE = 2e-6


def convert_text_encoder(network: keras.Model, metadata: Mapping[str, str]) -> onnx.ModelProto:
    """An encoder as a graph: ``note_ids``, ``note_mask`` ``(batch, pieces)`` int32 → ``token_features`` float32.

    Raises CorruptArtifactError where the checker refuses the graph.
    """
    signature = [tf.TensorSpec((None, None), tf.int32, name=name) for name in (IDS, MASK)]
    return _traced(network, signature, FEATURES, metadata)


def convert_dense_network(network: keras.Model, output: str, metadata: Mapping[str, str]) -> onnx.ModelProto:
    """A small network of float32 doors as a graph, every free axis kept free; its kernels stay float32.

    Raises CorruptArtifactError where the checker refuses the graph.
    """
    signature = [tf.TensorSpec((None, *door.shape[1:]), tf.float32, name=door.name) for door in network.inputs]
    return _traced(network, signature, output, metadata)


def _traced(network: keras.Model, signature: list, output: str, metadata: Mapping[str, str]) -> onnx.ModelProto:
    def forward(*doors):
        return {output: tf.identity(network(list(doors), training=False))}

    traced = tf.function(forward, input_signature=signature)
    model = convert_function(traced, signature)
    finish_graph(model, metadata)
    return model


def store_as_int8(model: onnx.ModelProto) -> int:
    """Keep every large kernel that lies on an 8-bit grid as INT8 with a DequantizeLinear before it, in place.

    The graph goes on computing in float32 with ``scale · q``, which is what the kernels were rounded to before any
    feature was taken (`round_to_int8`): storing them so changes nothing but the file. Returns how many were stored so.

    Raises CorruptArtifactError: a large kernel of a product or an embedding is not on such a grid.
    """
    graph = model.graph
    kept, nodes, widened = [], [], {}
    for tensor in graph.initializer:
        large = tensor.data_type == TensorProto.FLOAT and len(tensor.dims) >= 2 and np.prod(tensor.dims) >= SMALLEST_ROUNDED
        if not large:
            kept.append(tensor)
            continue
        found = _on_grid(numpy_helper.to_array(tensor))
        if found is None:
            raise CorruptArtifactError(
                f"kernel {tensor.name!r} {tuple(tensor.dims)} was not rounded to 8 bits, though the run says so.",
                "Run the stage again (--force), or set encoder.precision to float32.",
            )
        kept += _initialisers(tensor.name, *found)
        nodes += _dequantise(tensor.name, tuple(tensor.dims), found[2])
        widened[tensor.name] = f"{tensor.name}/float32"
    for node in graph.node:
        for position, name in enumerate(node.input):
            node.input[position] = widened.get(name, name)
    computing = list(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept + _shapes(nodes))
    graph.node.extend([node for node, _ in nodes] + computing)
    check_graph(model)
    return len(widened)


def _on_grid(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray, int] | None:
    """``(q int8 matrix, scale float32 vector, channel axis)`` of a kernel seen as a matrix, or None."""
    sizes = [size for size in kernel.shape if size > 1]
    for shape in dict.fromkeys([(sizes[0], -1), (-1, sizes[-1])]) if len(sizes) > 1 else ():
        matrix = kernel.reshape(shape)
        for axis in (0, 1):
            largest = np.abs(matrix).max(axis=1 - axis, keepdims=True)
            scale = np.where(largest > 0, largest / np.float32(INT8_LIMIT), np.float32(1)).astype(np.float32)
            whole = np.rint(matrix / scale)
            if np.all(np.abs(whole * scale - matrix) <= GRID_TOLERANCE * np.maximum(largest, 1e-30)):
                return whole.astype(np.int8), scale.ravel(), axis
    return None


def _initialisers(name: str, whole: np.ndarray, scale: np.ndarray, axis: int) -> list[onnx.TensorProto]:
    zero = np.zeros(scale.shape, np.int8)
    return [numpy_helper.from_array(array, f"{name}/{part}") for part, array in
            (("int8", whole), ("scale", scale), ("zero", zero))]  # fmt: skip


def _dequantise(name: str, dims: tuple[int, ...], axis: int) -> list[tuple[onnx.NodeProto, onnx.TensorProto | None]]:
    """DequantizeLinear, and a Reshape where the kernel was not a matrix; each with the constant that it needs."""
    inputs = [f"{name}/{part}" for part in ("int8", "scale", "zero")]
    final = f"{name}/float32"
    if len(dims) == 2 and 1 not in dims:
        return [(helper.make_node("DequantizeLinear", inputs, [final], name=final, axis=axis), None)]
    shape = numpy_helper.from_array(np.array(dims, np.int64), f"{name}/shape")
    return [
        (helper.make_node("DequantizeLinear", inputs, [f"{name}/matrix"], name=f"{name}/matrix", axis=axis), None),
        (helper.make_node("Reshape", [f"{name}/matrix", shape.name], [final], name=final), shape),
    ]


def _shapes(nodes: list[tuple[onnx.NodeProto, onnx.TensorProto | None]]) -> list[onnx.TensorProto]:
    return [constant for _, constant in nodes if constant is not None]
