"""One form for an ONNX graph: what it computes decides its bytes, not the names and the order that a converter came upon.

Walked depth first from its outputs, in their order, over each node's inputs, in theirs, a graph has one order and no
other. Nodes, tensors and weights are numbered by it; what no output needs is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import onnx
from onnx import numpy_helper


def canonicalise(model: onnx.ModelProto) -> None:
    """Bring a graph into its canonical form, in place.

    Doors keep their names and their order, weights their numbers. Every node is named after its operation and its place,
    every tensor after the node that makes it, every weight after the first node that reads it. Shapes inside the graph
    are left out: a runtime infers them. Two graphs that differ only in names, in the order of nodes, weights, attributes
    or properties, or in what no output needs, are equal afterwards; one in the canonical form stays as it is.
    """
    put_in_order(model.graph)
    _rename(model.graph, {}, "")
    model.graph.ClearField("doc_string")
    for entries, key in ((model.metadata_props, "key"), (model.opset_import, "domain")):
        _replace(entries, sorted(entries, key=lambda entry: getattr(entry, key)))


def put_in_order(graph: onnx.GraphProto) -> None:
    """Put nodes and weights into the order in which the outputs need them, and leave out what none needs, in place."""
    nodes = list(graph.node)
    for body in (body for node in nodes for body in _bodies(node)):
        put_in_order(body)
    makers = {name: place for place, node in enumerate(nodes) for name in node.output if name}
    pending = [makers[door.name] for door in reversed(graph.output) if door.name in makers]
    opened: set[int] = set()
    done: dict[int, None] = {}
    while pending:
        place = pending[-1]
        needed = () if place in opened else [makers[name] for name in _read_by(nodes[place]) if name in makers]
        opened.add(place)
        ahead = [maker for maker in needed if maker not in done]
        pending.extend(reversed(ahead))
        if not ahead:
            done[pending.pop()] = None
    kept = [nodes[place] for place in done]
    weights = {tensor.name: tensor for tensor in graph.initializer}
    read = dict.fromkeys([*(name for node in kept for name in _read_by(node)), *(door.name for door in graph.output)])
    _replace(graph.node, kept)
    _replace(graph.initializer, [weights[name] for name in read if name in weights])
    del graph.value_info[:]


def _bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs that a node of control flow runs, by the names of its attributes."""
    for attribute in sorted(node.attribute, key=lambda attribute: attribute.name):
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def _read_by(node: onnx.NodeProto) -> list[str]:
    """The tensors that a node needs from around it; its bodies must be in order already."""
    read = [name for name in node.input if name]
    for body in _bodies(node):
        own = {door.name for door in (*body.input, *body.initializer)} | {name for inner in body.node for name in inner.output}
        within = [*(name for inner in body.node for name in _read_by(inner)), *(door.name for door in body.output)]
        read += [name for name in within if name not in own]
    return read


def _rename(graph: onnx.GraphProto, around: Mapping[str, str], within: str) -> None:
    """Name what lies inside a graph, and a body's doors, which nobody outside of it knows by name.

    around: new names by old ones outside of a body. within: what a body's own names begin with; "" for the whole graph.
    """
    doors = set() if within else {door.name for door in (*graph.input, *graph.output)}
    weights = {tensor.name for tensor in graph.initializer}
    names = {**around, **{name: name for name in doors}}
    if within:
        names |= {door.name: f"{within}input_{place}" for place, door in enumerate(graph.input)}
    for place, node in enumerate(graph.node):
        node.name = f"{within}{node.op_type}_{place}"
        for position, old in enumerate(node.input):
            if old in weights:
                names.setdefault(old, _free(f"{node.name}/{position}", doors))
        for position, old in enumerate(node.output):
            if old:
                names.setdefault(old, _free(node.name if len(node.output) == 1 else f"{node.name}:{position}", doors))
    for place, tensor in enumerate(graph.initializer):
        names.setdefault(tensor.name, _free(f"{within}weight_{place}", doors))
    for node in graph.node:
        _apply(node, names)
    for tensor in graph.initializer:
        if not (tensor.raw_data or tensor.external_data or tensor.data_type == onnx.TensorProto.STRING):
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))
        tensor.name = names[tensor.name]
        tensor.ClearField("doc_string")
    for door in (*graph.input, *graph.output):
        door.name = names[door.name]


def _apply(node: onnx.NodeProto, names: Mapping[str, str]) -> None:
    _replace(node.input, [names.get(name, name) for name in node.input])
    _replace(node.output, [names.get(name, name) for name in node.output])
    _replace(node.attribute, sorted(node.attribute, key=lambda attribute: attribute.name))
    node.ClearField("doc_string")
    for place, body in enumerate(_bodies(node)):
        _rename(body, names, f"{node.name}/{place}/")


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "'"
    return name


def _replace(entries, others: list) -> None:
    """Put ``others`` in the place of a message's repeated ``entries``, of which they may be."""
    del entries[:]
    entries.extend(others)
