import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipeline.export.onnx.kernel_files import write_graphs

SIDE = 128


def product_graph(*kernels):
    """x @ kernel @ kernel …; each kernel 64 KiB."""
    names = [f"k{position}" for position in range(len(kernels))]
    steps = ["x", *[f"y{position}" for position in range(len(kernels) - 1)], "out"]
    nodes = [helper.make_node("MatMul", [steps[at], name], [steps[at + 1]]) for at, name in enumerate(names)]
    doors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", SIDE]) for name in ("x", "out")]
    tensors = [numpy_helper.from_array(kernel, name) for kernel, name in zip(kernels, names, strict=True)]
    body = helper.make_graph(nodes, "g", doors[:1], doors[1:], tensors)
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def kernel(seed):
    return np.random.default_rng(seed).normal(size=(SIDE, SIDE)).astype(np.float32) / 10


def run(path, x):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


@pytest.fixture
def x():
    return np.random.default_rng(9).normal(size=(2, SIDE)).astype(np.float32)


def test_a_kernel_of_two_graphs_is_stored_once(tmp_path, x):
    common, a, b = kernel(0), kernel(1), kernel(2)
    write_graphs({"a.onnx": product_graph(a, common), "b.onnx": product_graph(b, common)}, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.onnx", "b.onnx", "kernels_00.bin"]
    assert (tmp_path / "kernels_00.bin").stat().st_size == common.nbytes
    assert (tmp_path / "a.onnx").stat().st_size < 1.1 * a.nbytes
    np.testing.assert_allclose(run(tmp_path / "a.onnx", x), x @ a @ common, atol=1e-5)
    np.testing.assert_allclose(run(tmp_path / "b.onnx", x), x @ b @ common, atol=1e-5)


def test_a_graph_alone_keeps_its_kernels(tmp_path):
    write_graphs({"a.onnx": product_graph(kernel(0))}, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]


def test_no_file_is_over_the_limit(tmp_path, x):
    kernels = [kernel(seed) for seed in range(6)]
    limit = 150_000
    write_graphs({"a.onnx": product_graph(*kernels)}, tmp_path, limit)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert max(sizes.values()) <= limit and sum(sizes.values()) > 6 * kernels[0].nbytes
    assert len(sizes) >= 3
    expected = x
    for each in kernels:
        expected = expected @ each
    np.testing.assert_allclose(run(tmp_path / "a.onnx", x), expected, atol=1e-4)
