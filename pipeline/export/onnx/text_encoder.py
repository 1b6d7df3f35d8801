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
from pipeline.export.onnx.stored_weights import WIDENED, Stored, store_otherwise
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
    stored: dict[str, Stored] = {}
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2 or np.prod(tensor.dims) < SMALLEST_ROUNDED:
            continue
        found = _on_grid(numpy_helper.to_array(tensor))
        if found is None:
            raise CorruptArtifactError(
                f"kernel {tensor.name!r} {tuple(tensor.dims)} was not rounded to 8 bits, though the run says so.",
                "Run the stage again (--force), or set encoder.precision to float32.",
            )
        stored[tensor.name] = _dequantised(tensor.name, tuple(tensor.dims), *found)
    store_otherwise(model.graph, stored)
    check_graph(model)
    return len(stored)


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


def _dequantised(name: str, dims: tuple[int, ...], whole: np.ndarray, scale: np.ndarray, axis: int) -> Stored:
    """The grid with a DequantizeLinear, and a Reshape where the kernel was not a matrix."""
    parts = {"int8": whole, "scale": scale, "zero": np.zeros(scale.shape, np.int8)}
    tensors = [numpy_helper.from_array(array, f"{name}/{part}") for part, array in parts.items()]
    is_matrix = len(dims) == 2 and 1 not in dims
    made = name + WIDENED if is_matrix else f"{name}/matrix"
    nodes = [helper.make_node("DequantizeLinear", [tensor.name for tensor in tensors], [made], name=made, axis=axis)]
    if not is_matrix:
        shape = numpy_helper.from_array(np.array(dims, np.int64), f"{name}/shape")
        tensors.append(shape)
        nodes.append(helper.make_node("Reshape", [made, shape.name], [name + WIDENED], name=name + WIDENED))
    return Stored(tensors, nodes)
