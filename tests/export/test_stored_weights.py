import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipeline.engine.errors import CorruptArtifactError
from pipeline.export.onnx.stored_weights import halved, place_kernels, store_as_float16


def float16_numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float16).astype(np.float32)


def graph(nodes, initializers, inputs, width):
    doors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, width)
    tensors = [numpy_helper.from_array(value, name) for name, value in initializers.items()]
    body = helper.make_graph(nodes, "g", doors, [out], tensors)
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model, **feeds):
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feeds)[0]


def matmul_graph(kernel, bias):
    nodes = [helper.make_node("MatMul", ["x", "kernel"], ["y"]), helper.make_node("Add", ["y", "bias"], ["out"])]
    return graph(nodes, {"kernel": kernel, "bias": bias}, {"x": ["b", 6]}, ["b", 4])


def test_float16_numbers_are_stored_as_float16_and_computed_with_unchanged():
    model = matmul_graph(float16_numbers(6, 4), np.full(4, 0.1, np.float32))
    x = np.random.default_rng(1).normal(size=(3, 6)).astype(np.float32)
    before = run(model, x=x)
    assert store_as_float16(model, require=True) == 1
    onnx.checker.check_model(model, full_check=True)
    stored = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert stored == {"kernel": TensorProto.FLOAT16, "bias": TensorProto.FLOAT}
    np.testing.assert_array_equal(run(model, x=x), before)


def test_other_kernels_stay_float32_or_are_refused():
    kernel = float16_numbers(6, 4)
    kernel[2, 1] = np.float32(0.1)
    model = matmul_graph(kernel, np.zeros(4, np.float32))
    assert store_as_float16(model, require=False) == 0
    with pytest.raises(CorruptArtifactError, match="'kernel'.*float16"):
        store_as_float16(model, require=True)


@pytest.mark.parametrize("value", [1e6, 1e-9, 0.1, np.nan])
def test_numbers_that_float16_does_not_hold(value):
    wide = float16_numbers(3, 3)
    wide[0, 0] = value
    assert halved(wide) is None or np.isnan(value)


def test_negative_zero_survives():
    half = halved(np.array([[-0.0, 1.0]], np.float32))
    assert np.signbit(half[0, 0])


def test_kernels_are_placed_with_reshape_and_transpose_applied():
    kernel = float16_numbers(3, 3, 2, 4)
    nodes = [
        helper.make_node("Transpose", ["kernel"], ["moved"], perm=[3, 2, 0, 1]),
        helper.make_node("Conv", ["x", "moved"], ["out"]),
    ]
    inputs = {"x": ["b", 2, 5, 5], "kernel": [3, 3, 2, 4]}
    model = graph(nodes, {}, inputs, ["b", 4, 3, 3])
    x = np.random.default_rng(1).normal(size=(2, 2, 5, 5)).astype(np.float32)
    before = run(model, x=x, kernel=kernel)
    place_kernels(model, {"kernel": kernel})
    assert [node.op_type for node in model.graph.node] == ["Conv"]
    assert [door.name for door in model.graph.input] == ["x"]
    # A constant kernel is packed for the convolution, which changes the order of its sums.
    np.testing.assert_allclose(run(model, x=x), before, atol=1e-5)


def test_reshape_follows_onnx_rules_and_stops_at_a_shared_kernel():
    kernel = float16_numbers(4, 6)
    nodes = [
        helper.make_node("Reshape", ["kernel", "shape"], ["flat"]),
        helper.make_node("MatMul", ["x", "flat"], ["out"]),
    ]
    shape = np.array([0, -1], np.int64)
    model = graph(nodes, {"shape": shape}, {"x": ["b", 4], "kernel": [4, 6]}, ["b", 6])
    place_kernels(model, {"kernel": kernel})
    assert [tensor.name for tensor in model.graph.initializer] == ["flat"]
    both = [helper.make_node("Transpose", ["kernel"], ["t"]), helper.make_node("MatMul", ["kernel", "t"], ["out"])]
    model = graph(both, {}, {"kernel": [4, 6]}, [4, 4])
    place_kernels(model, {"kernel": kernel})
    np.testing.assert_allclose(run(model), kernel @ kernel.T, rtol=1e-5)


def test_a_kernel_lost_on_the_way_is_named():
    model = matmul_graph(float16_numbers(6, 4), np.zeros(4, np.float32))
    with pytest.raises(CorruptArtifactError, match="kernel_7"):
        place_kernels(model, {"kernel_7": np.zeros((2, 2), np.float32)})
