"""One network, one file: whatever process exports it, whatever names and order a converter chose on the way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipeline.export.onnx.canonical import canonicalise, put_in_order

PROGRAM = Path(__file__).with_name("exported_kinds.py")
ROOT = Path(__file__).parents[2]


# Two processes that each train and export a network of every kind: minutes.
slow = pytest.mark.slow


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """The same networks exported by two processes that hash differently, and in another order."""
    folder = tmp_path_factory.mktemp("exports")
    started = [
        subprocess.Popen(
            [sys.executable, str(PROGRAM), str(folder / order), order],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        for order, seed in {"forwards": "1", "backwards": "2"}.items()
    ]  # fmt: skip
    for process in started:
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, said.decode()
    return folder / "forwards", folder / "backwards"


@slow
def test_two_processes_export_the_same_bytes(exports):
    first, second = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in exports)
    assert len(first) >= 9 and first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def graphs_of(folder: Path) -> dict[str, onnx.ModelProto]:
    return {path.stem: onnx.load(str(path)) for path in sorted(folder.glob("*.onnx"))}


def disturbed(model: onnx.ModelProto, draw: np.random.Generator, sort: bool) -> onnx.ModelProto:
    """The same computation under other names, in another order (runnable where ``sort``), with a node that nobody reads."""
    other = onnx.ModelProto.FromString(model.SerializeToString())
    graph = other.graph
    doors = {door.name for door in (*graph.input, *graph.output)}
    inner = [name for node in graph.node for name in node.output] + [tensor.name for tensor in graph.initializer]
    numbers = draw.permutation(len(inner))
    new = {name: name if name in doors else f"t{number}" for name, number in zip(inner, numbers, strict=True)}
    nodes, tensors = list(graph.node), list(graph.initializer)
    for place, node in enumerate(nodes):
        names = [new.get(name, name) for name in node.input], [new.get(name, name) for name in node.output]
        node.name, node.doc_string = f"n{draw.integers(1 << 30)}_{place}", "seen"
        attributes = [node.attribute[place] for place in draw.permutation(len(node.attribute))]
        for entries, others in zip((node.input, node.output, node.attribute), (*names, attributes), strict=True):
            del entries[:]
            entries.extend(others)
    for tensor in tensors:
        tensor.name = new[tensor.name]
    del graph.node[:], graph.initializer[:]
    if not sort:
        nodes = [nodes[place] for place in draw.permutation(len(nodes))]
    graph.node.extend([*nodes, helper.make_node("Identity", [graph.input[0].name], ["unread"], name="unread")])
    graph.initializer.extend([tensors[place] for place in draw.permutation(len(tensors))])
    return other


def answers(model: onnx.ModelProto, seed: int) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    draw, given = np.random.default_rng(seed), {}
    for door in session.get_inputs():
        sizes = {"batch": 2, "height": 32, "width": 32}
        shape = [size if isinstance(size, int) else sizes.get(size, 5) for size in door.shape]
        is_whole = door.type == "tensor(int32)"
        given[door.name] = draw.integers(1, 2, shape).astype(np.int32) if is_whole else draw.random(shape, np.float32)
    return session.run(None, given)


@slow
@pytest.mark.parametrize("seed", range(4))
def test_names_and_order_do_not_matter_and_answers_keep_their_bits(exports, seed):
    for name, graph in graphs_of(exports[0]).items():
        canonical = graph.SerializeToString(deterministic=True)
        draw = np.random.default_rng(seed)
        shuffled = disturbed(graph, draw, sort=False)
        assert shuffled.SerializeToString(deterministic=True) != canonical
        canonicalise(shuffled)
        assert shuffled.SerializeToString(deterministic=True) == canonical, name
        renamed = disturbed(graph, draw, sort=True)
        for found, expected in zip(answers(graph, seed), answers(renamed, seed), strict=True):
            assert np.isfinite(found).all()
            np.testing.assert_array_equal(found, expected)


@slow
def test_a_canonical_graph_stays_as_it_is(exports):
    for name, graph in graphs_of(exports[0]).items():
        before = graph.SerializeToString(deterministic=True)
        canonicalise(graph)
        assert graph.SerializeToString(deterministic=True) == before, name
        assert not graph.graph.value_info and len({node.name for node in graph.graph.node}) == len(graph.graph.node)


@slow
def test_another_number_is_another_file(exports):
    graph = graphs_of(exports[0])["backbone"]
    before = graph.SerializeToString(deterministic=True)
    tensor = next(tensor for tensor in graph.graph.initializer if len(tensor.dims) == 4)
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * 2, tensor.name))
    canonicalise(graph)
    assert graph.SerializeToString(deterministic=True) != before


def branching(names: dict[str, str]) -> onnx.ModelProto:
    """``x`` plus or minus a weight, as ``flag`` says: a node with two bodies, one of which reads around itself."""
    tensor = helper.make_tensor_value_info
    bodies = {
        branch: helper.make_graph(
            [helper.make_node(kind, [names["doubled"], names["w"]], [names[branch]])], names["w"] + branch, [],
            [tensor(names[branch], TensorProto.FLOAT, [2])],
            [numpy_helper.from_array(np.array([1, 2], np.float32), names["w"])],
        )
        for branch, kind in {"then_branch": "Add", "else_branch": "Sub"}.items()
    }  # fmt: skip
    nodes = [
        helper.make_node("Add", ["x", "x"], [names["doubled"]]),
        helper.make_node("If", ["flag"], ["y"], **bodies),
    ]
    doors = [tensor("x", TensorProto.FLOAT, [2]), tensor("flag", TensorProto.BOOL, [])]
    graph = helper.make_graph(nodes, "branching", doors, [tensor("y", TensorProto.FLOAT, [2])])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_bodies_of_control_flow_are_named_too():
    made = []
    for suffix in ("", "_other"):
        model = branching({name: name + suffix for name in ("doubled", "w", "then_branch", "else_branch")})
        canonicalise(model)
        onnx.checker.check_model(model, full_check=True)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        x = np.array([3, 5], np.float32)
        for flag, expected in ((True, [7, 12]), (False, [5, 8])):
            np.testing.assert_array_equal(session.run(None, {"x": x, "flag": np.array(flag)})[0], expected)
        bodies = [attribute.g for attribute in model.graph.node[1].attribute]
        made.append([node.name for graph in (model.graph, *bodies) for node in graph.node] + [bodies[0].output[0].name])
    assert made[0] == made[1] == ["Add_0", "If_1", "If_1/0/Sub_0", "If_1/1/Add_0", "If_1/0/Sub_0"]


def test_a_door_keeps_its_name_where_a_node_would_take_it():
    tensor = helper.make_tensor_value_info
    nodes = [helper.make_node("Relu", ["Relu_0"], ["inside"]), helper.make_node("Neg", ["inside"], ["y"])]
    doors = [tensor("Relu_0", TensorProto.FLOAT, [2])], [tensor("y", TensorProto.FLOAT, [2])]
    model = helper.make_model(helper.make_graph(nodes, "g", *doors), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    canonicalise(model)
    assert [list(node.output) for node in model.graph.node] == [["Relu_0'"], ["y"]]
    np.testing.assert_array_equal(answers(model, 0)[0].shape, (2,))


def test_what_no_output_needs_is_left_out():
    tensor = helper.make_tensor_value_info
    weights = [numpy_helper.from_array(np.ones(2, np.float32), name) for name in ("unread", "w")]
    nodes = [helper.make_node("Neg", ["unread"], ["nothing"]), helper.make_node("Add", ["x", "w"], ["y"])]
    graph = helper.make_graph(
        nodes, "g", [tensor("x", TensorProto.FLOAT, [2])], [tensor("y", TensorProto.FLOAT, [2])], weights,
        value_info=[tensor("nothing", TensorProto.FLOAT, [2])],
    )  # fmt: skip
    put_in_order(graph)
    assert [node.op_type for node in graph.node] == ["Add"] and [t.name for t in graph.initializer] == ["w"]
    assert not graph.value_info
