"""PReLU of one slope as one ONNX operation, where a converter has spelt it out as max(x, 0) - slope · max(-x, 0).

Spelt out it passes over every feature map five times, with transposes between, and runtimes do not put it together again.
It becomes a LeakyRelu, which they join to the convolution before it; PRelu they leave apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx
from onnx import helper, numpy_helper

from pipeline.export.onnx.canonical import put_in_order


@dataclass(frozen=True)
class _Spelt:
    """One PReLU as found: what it reads, its slope and the node whose output is the answer."""

    entering: str
    slope: float
    last: onnx.NodeProto


def fuse_prelus(model: onnx.ModelProto) -> None:
    """Replace every spelt-out PReLU whose slope is one number, in place.

    A slope that differs by channel is left as it is. The number is kept to the last bit.
    """
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    single = {tensor.name: tensor for tensor in graph.initializer if all(size == 1 for size in tensor.dims)}
    found = [spelt for node in graph.node if (spelt := _recognise(node, makers, single)) is not None]
    for spelt in found:
        name = f"{spelt.last.name}/prelu"
        fused = helper.make_node("LeakyRelu", [spelt.entering], list(spelt.last.output), name=name, alpha=spelt.slope)
        graph.node.remove(spelt.last)
        graph.node.append(fused)
    put_in_order(graph)


def _recognise(node: onnx.NodeProto, makers: dict[str, onnx.NodeProto], single: dict[str, onnx.TensorProto]) -> _Spelt | None:
    if node.op_type != "Add":
        return None
    for positive, negative in (node.input, node.input[::-1]):
        relu = makers.get(positive)
        scaled = _before_transposes(negative, makers)
        if relu is None or relu.op_type != "Relu" or scaled is None or scaled.op_type != "Mul":
            continue
        for part, factor in (scaled.input, scaled.input[::-1]):
            slope = makers.get(factor)
            if slope is None or slope.op_type != "Neg" or slope.input[0] not in single:
                continue
            inner = _before_transposes(part, makers)
            if inner is None or inner.op_type != "Relu":
                continue
            negated = makers.get(inner.input[0])
            if negated is not None and negated.op_type == "Neg" and negated.input[0] == relu.input[0]:
                number = numpy_helper.to_array(single[slope.input[0]]).ravel()[0]
                return _Spelt(relu.input[0], float(number), node)
    return None


def _before_transposes(name: str, makers: dict[str, onnx.NodeProto]) -> onnx.NodeProto | None:
    """The node that makes a tensor, seen through transposes: one number times anything is the same either way round."""
    node = makers.get(name)
    while node is not None and node.op_type == "Transpose":
        node = makers.get(node.input[0])
    return node
