import json
from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from pipeline.export.onnx.graphs import convert_network, graph_metadata, kernels_of
from pipeline.export.onnx.stored_weights import store_as_float16
from pipeline.export.parity import Graph
from pipeline.models.stored_precision import round_kernels


@pytest.fixture(scope="module")
def converted(backbone_maker):
    network = round_kernels(backbone_maker(seed=3), "float16")
    metadata = graph_metadata(["Non_COVID", "COVID"], "COVID", "respiratory_mtl", 1)
    return network, convert_network(network, ("features",), metadata)


def test_doors_opset_and_metadata(converted):
    _, model = converted
    assert [door.name for door in model.graph.input] == ["image"]
    assert [door.name for door in model.graph.output] == ["features"]
    assert {item.version for item in model.opset_import if item.domain == ""} == {17}
    shape = [d.dim_param or d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    assert shape == ["batch", 32, 32, 1]
    said = {item.key: item.value for item in model.metadata_props}
    assert json.loads(said["class_names"]) == ["Non_COVID", "COVID"] and said["schema_version"] == "1"


def test_batch_normalisation_is_not_folded_into_the_kernels(converted):
    network, model = converted
    stored = Counter(np.prod(t.dims) for t in model.graph.initializer if len(t.dims) == 4)
    for kernel in kernels_of(network):
        assert stored[np.prod(kernel.shape)] >= 1
    half = onnx.ModelProto.FromString(model.SerializeToString())
    assert store_as_float16(half, require=True) >= len(kernels_of(network))
    assert all(t.data_type == TensorProto.FLOAT16 for t in half.graph.initializer if len(t.dims) == 4 and np.prod(t.dims) > 64)


def test_it_answers_as_keras_does_at_any_batch(converted, tmp_path):
    network, model = converted
    onnx.save(model, tmp_path / "b.onnx")
    for batch in (1, 5):
        image = np.random.default_rng(batch).random((batch, 32, 32, 1), np.float32)
        found = Graph(tmp_path / "b.onnx").answer({"image": image})["features"]
        np.testing.assert_allclose(found, np.asarray(network(image, training=False)), atol=1e-5)
