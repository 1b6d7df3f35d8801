"""An output that a conversion left with a leading axis too many gets its declared shape back."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipeline.export.onnx.reshaped_outputs import squeeze_reshaped_outputs

RANKS = {"segmentation": 4}
SIDES = ["batch", "height", "width", 1]


def one_channel_graph(shape: list[int], declared_sides: list = SIDES) -> onnx.ModelProto:
    """A map ``(B, 1, H, W)`` reshaped to ``shape`` and declared as it should be, or as it is."""
    declared = helper.make_tensor_value_info("segmentation", TensorProto.FLOAT, declared_sides)
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["logits", "shape"], ["segmentation"])],
        "one_channel",
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1, "height", "width"])],
        [declared],
        [numpy_helper.from_array(np.array(shape, np.int64), "shape")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def answer(model: onnx.ModelProto, logits: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["segmentation"], {"logits": logits})[0]


@pytest.fixture
def logits():
    return np.random.default_rng(0).random((2, 1, 4, 6), np.float32)


@pytest.mark.parametrize("declared", [SIDES, [1, *SIDES]])
def test_a_leading_axis_too_many_is_taken_away(logits, declared):
    model = one_channel_graph([1, -1, 0, 0, 1], declared)
    assert answer(model, logits).shape == (1, 2, 4, 6, 1)
    squeeze_reshaped_outputs(model, RANKS)
    assert len(model.graph.output[0].type.tensor_type.shape.dim) == 4
    onnx.checker.check_model(model, full_check=True)
    np.testing.assert_array_equal(answer(model, logits), logits.transpose(0, 2, 3, 1))


def test_an_output_as_declared_stays_as_it_is(logits):
    model = one_channel_graph([-1, 4, 6, 1])
    before = model.SerializeToString()
    squeeze_reshaped_outputs(model, RANKS)
    assert model.SerializeToString() == before and answer(model, logits).shape == (2, 4, 6, 1)
