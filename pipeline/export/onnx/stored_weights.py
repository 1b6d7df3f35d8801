"""Kernels of an ONNX graph: put in place as initialisers, and kept in half precision where nothing is lost by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pipeline.engine.errors import CorruptArtifactError
from pipeline.export.onnx.canonical import put_in_order

# behind a weight's name: the tensor that is made of what is stored in its place
WIDENED = "/float32"


class Stored(NamedTuple):
    """What stands for a weight, and the nodes that make ``<name>/float32`` of it."""

    tensors: list[TensorProto]
    nodes: list[onnx.NodeProto]


def place_kernels(model: onnx.ModelProto, values: Mapping[str, np.ndarray]) -> None:
    """Turn the graph inputs named in ``values`` into initialisers, in place.

    A Reshape or Transpose that a converter put behind a kernel is applied to the numbers themselves, so that the
    convolution or product reads its initialiser directly.

    Raises:
        CorruptArtifactError: the graph has lost a kernel on the way.
    """
    graph = model.graph
    doors = {door.name: door for door in graph.input}
    readers = _readers(graph)
    lost = [name for name in values if name not in doors or name not in readers]
    if lost:
        raise CorruptArtifactError(f"the converted graph does not read {len(lost)} of its kernels (first: {lost[0]}).")
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for name, value in values.items():
        graph.input.remove(doors[name])
        final, moved = _follow_reshaping(graph, readers, constants, name, np.asarray(value))
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(moved), final))
    put_in_order(graph)


def store_as_float16(model: onnx.ModelProto, require: bool) -> int:
    """Keep every initialiser of two dimensions or more that holds float16 numbers as float16, in place.

    A Cast brings it back to float32 where it is read, so the graph computes with the very same numbers; that is
    checked bit for bit. One-dimensional weights and kernels that would change stay float32.

    Args:
        require: refuse a graph in which a Conv, ConvTranspose, MatMul or Gemm reads a kernel that would change.

    Returns:
        The number of initialisers stored as float16.

    Raises:
        CorruptArtifactError: ``require``, and a kernel was not rounded before its figures were taken.
    """
    graph = model.graph
    kernels = _kernel_names(graph)
    narrowed: dict[str, Stored] = {}
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2:
            continue
        wide = numpy_helper.to_array(tensor)
        half = halved(wide)
        if half is not None:
            narrowed[tensor.name] = _halves(half, tensor.name)
        elif require and tensor.name in kernels:
            raise CorruptArtifactError(
                f"kernel {tensor.name!r} {tuple(wide.shape)} does not hold float16 numbers, though the run says so.",
                "Run the stages again (--force), or set stored_precision to float32 in all of them.",
            )
    store_otherwise(graph, narrowed)
    return len(narrowed)


def store_otherwise(graph: onnx.GraphProto, stored: Mapping[str, Stored]) -> None:
    """Put other tensors in the place of the weights named, in place: what read a weight reads what is made of those."""
    kept = [tensor for tensor in graph.initializer if tensor.name not in stored]
    nodes = list(graph.node)
    for node in nodes:
        for position, name in enumerate(node.input):
            if name in stored:
                node.input[position] = name + WIDENED
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend([*kept, *(tensor for form in stored.values() for tensor in form.tensors)])
    graph.node.extend([*(node for form in stored.values() for node in form.nodes), *nodes])


def halved(wide: np.ndarray) -> np.ndarray | None:
    """float32 ``(…)`` → the same numbers as float16, or ``None`` where one of them is not a float16 number."""
    wide = np.ascontiguousarray(wide, np.float32)
    with np.errstate(over="ignore"):
        half = wide.astype(np.float16)
    same_bits = np.array_equal(half.astype(np.float32).view(np.uint32), wide.view(np.uint32))
    return half if same_bits else None


def _kernel_names(graph: onnx.GraphProto) -> set[str]:
    constants = {tensor.name for tensor in graph.initializer}
    products = ("Conv", "ConvTranspose", "MatMul", "Gemm")
    return {name for node in graph.node if node.op_type in products for name in node.input[:2] if name in constants}


def _halves(half: np.ndarray, name: str) -> Stored:
    cast = helper.make_node("Cast", [name], [name + WIDENED], name=name + WIDENED, to=TensorProto.FLOAT)
    return Stored([numpy_helper.from_array(half, name)], [cast])


def _readers(graph: onnx.GraphProto) -> dict[str, list[onnx.NodeProto]]:
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    return readers


def _follow_reshaping(graph, readers, constants, name: str, value: np.ndarray) -> tuple[str, np.ndarray]:
    """Walk over Reshape and Transpose nodes that only this kernel passes through; they leave the graph."""
    leaving = {door.name for door in graph.output}
    while name not in leaving and len(readers.get(name, ())) == 1:
        node = readers[name][0]
        if node.op_type == "Transpose":
            order = next((list(item.ints) for item in node.attribute if item.name == "perm"), None)
            value = np.transpose(value, order)
        elif node.op_type == "Reshape" and node.input[0] == name and node.input[1] in constants:
            value = value.reshape(_reshaped(value.shape, numpy_helper.to_array(constants[node.input[1]])))
        else:
            break
        name = node.output[0]
        graph.node.remove(node)
    return name, value


def _reshaped(shape: tuple[int, ...], wanted: np.ndarray) -> list[int]:
    """ONNX's rule: 0 keeps the axis of the input, -1 is what is left."""
    return [shape[axis] if size == 0 else int(size) for axis, size in enumerate(wanted)]
