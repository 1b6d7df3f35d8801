"""A classifier's run becomes a bundle whose graph gives Grad-CAM what Keras's GradientTape gives."""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from pipeline.engine.errors import ConfigError, CorruptArtifactError, MissingArtifactError
from pipeline.engine.files import sha256_file

sys.path.insert(0, str(Path(__file__).parent))  # tiny_classifier_run lies beside this file


@pytest.fixture(scope="module", params=["binary", "three_class"])
def exported(request, tmp_path_factory):
    from tiny_classifier_run import BINARY, THREE, write_classifier_run

    from pipeline.export.classifier.bundle import ClassifierExporter
    from pipeline.export.template import ExportOptions

    place = tmp_path_factory.mktemp(request.param)
    names = BINARY if request.param == "binary" else THREE
    network = write_classifier_run(place / "run", names, f"pneumonia_{request.param}")
    exporter = ClassifierExporter.of_run(place / "run", ExportOptions(keras=True, card="Collected by **us**."))
    return network, exporter.write(place / "bundle"), names


def test_the_bundle_tells_its_classes_threshold_and_files(exported):
    from pipeline.inference.bundle import open_bundle

    _, bundle, names = exported
    manifest = open_bundle(bundle).manifest
    assert manifest.class_names == names and manifest.profile.size == 32
    assert (manifest.positive_class, manifest.threshold) == (("PNEUMONIA", 0.3) if len(names) == 2 else (None, None))
    document = json.loads((bundle / "bundle.json").read_text())
    assert document["parity"]["keras_max_difference"] <= 1e-4 and len(document["parity"]["checks"]) == 8
    assert document["files"]["MODEL_CARD.md"]["sha256"] == sha256_file(bundle / "MODEL_CARD.md")
    assert {"keras/classifier.json", "keras/classifier.weights.h5"} <= set(document["files"])


def test_the_card_has_figures_terms_and_decision(exported):
    _, bundle, names = exported
    card = (bundle / "MODEL_CARD.md").read_text()
    assert "| accuracy | 0.750 [0.500, 0.900] | 0.750 [0.500, 0.900] |" in card and "Collected by **us**." in card
    assert ("**PNEUMONIA** is named from probability 0.3 on" in card) == (len(names) == 2)
    assert "not a medical device" in card and "pooled maps of 1 inner layers" in card
    assert [line.split(" | ")[0] for line in card.splitlines() if line.startswith(("| NORMAL", "| VIRUS"))][0] == "| NORMAL"


def test_doors_opset_and_half_kernels(exported):
    _, bundle, names = exported
    model = onnx.load(bundle / "classifier.onnx")
    shapes = {d.name: [x.dim_param or x.dim_value for x in d.type.tensor_type.shape.dim] for d in model.graph.output}
    assert shapes == {
        "classification": ["batch", len(names)],
        "features": ["batch", 24],
        "feature_maps": ["batch", 8, 8, 16],
        "class_activation_gradients": ["batch", len(names), 16],
    }
    assert {item.version for item in model.opset_import if item.domain == ""} == {17}
    large = [t for t in model.graph.initializer if np.prod(t.dims) > 36]
    assert len(large) == 4 and all(t.data_type == TensorProto.FLOAT16 for t in large)


@pytest.mark.parametrize("method", ["grad_cam", "grad_cam_plus_plus"])
def test_maps_from_onnx_equal_those_of_the_gradient_tape(exported, method):
    """To 1e-4 of the map, for every class, on pictures of which some have no evidence at all."""
    from pipeline.export.parity import Graph
    from pipeline.inference.activation import class_activation
    from pipeline.models import grad_cam as reference

    network, bundle, names = exported
    images = np.random.default_rng(3).random((6, 32, 32, 1), np.float32)
    found = Graph(bundle / "classifier.onnx").answer({"image": images})
    largest = 0.0
    for k in range(len(names)):
        tape = reference.map_gradients(network, images, np.full(len(images), k))
        expected = getattr(reference, method)(tape.feature_maps, tape.gradients)
        for row in range(len(images)):
            gradients = found["class_activation_gradients"][row, k]
            made = getattr(class_activation, method)(found["feature_maps"][row], gradients)
            np.testing.assert_allclose(made, expected[row], atol=1e-4 * max(1.0, float(expected.max())), rtol=1e-4)
            largest = max(largest, float(made.max()))
    assert largest > 0


def test_an_artifact_that_was_changed_is_refused(tmp_path):
    from tiny_classifier_run import write_classifier_run

    from pipeline.export.classifier.bundle import ClassifierExporter

    write_classifier_run(tmp_path / "run")
    weights = tmp_path / "run" / "s08_classifier" / "classifier.weights.h5"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0\1")
    with pytest.raises(CorruptArtifactError, match="was edited after it was made"):
        ClassifierExporter.of_run(tmp_path / "run").write(tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_run_without_a_classifier_is_refused(finished_run, tmp_path):
    from pipeline.export.classifier.bundle import ClassifierExporter

    with pytest.raises(MissingArtifactError, match="classifier"):
        ClassifierExporter.of_run(finished_run).write(tmp_path / "bundle")


def test_a_network_without_the_named_places_is_refused(backbone_maker):
    from pipeline.export.onnx.classifier import with_activations

    with pytest.raises(ConfigError, match="feature_maps"):
        with_activations(backbone_maker())


@pytest.mark.slow
def test_efficientnet_lite0_keeps_the_limit_and_the_size(tmp_path):
    """The real backbone: Grad-CAM from ONNX against GradientTape, and the graph's size on disk."""
    import keras

    from pipeline.export.onnx.classifier import convert_classifier
    from pipeline.export.onnx.kernel_files import write_graphs
    from pipeline.export.onnx.stored_weights import store_as_float16
    from pipeline.export.parity import Graph
    from pipeline.inference.activation.class_activation import grad_cam
    from pipeline.models import grad_cam as reference
    from pipeline.models.classifier_networks import Head, build_classifier
    from pipeline.models.stored_precision import round_kernels

    keras.utils.set_random_seed(0)
    network = round_kernels(build_classifier("EfficientNetLite0", 224, 2, Head()), "float16")
    graph = convert_classifier(network, {"system": "classifier"})
    store_as_float16(graph, require=True)
    write_graphs({"classifier.onnx": graph}, tmp_path)
    assert (tmp_path / "classifier.onnx").stat().st_size < 12e6
    images = np.random.default_rng(0).random((2, 224, 224, 1), np.float32)
    found = Graph(tmp_path / "classifier.onnx").answer({"image": images})
    tape = reference.map_gradients(network, images, np.array([1, 1]))
    np.testing.assert_allclose(found["classification"], tape.logits, atol=1e-4)
    expected = reference.grad_cam(tape.feature_maps, tape.gradients)
    assert expected.max() > 0
    for row in range(2):
        made = grad_cam(found["feature_maps"][row], found["class_activation_gradients"][row, 1])
        np.testing.assert_allclose(made, expected[row], atol=1e-4)
