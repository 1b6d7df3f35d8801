"""A training starts from a bundle: the network read back from its graph answers as the bundle does, and trains on from there."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest

from pipeline.engine.errors import CorruptArtifactError

sys.path.insert(0, str(Path(__file__).parent))  # tiny_segmenter_run lies beside this file

from tiny_segmenter_run import CLASS_NAMES, SHAPE, small_unet, write_run

IMAGES = np.random.default_rng(5).random((6, 32, 32, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def network():
    return small_unet()


@pytest.fixture(scope="module", params=["NHWC", "NCHW"])
def bundle(request, network, tmp_path_factory):
    """Without Keras files, so that the graph is all there is."""
    from pipeline.export.segmenter.bundle import SegmenterExporter
    from pipeline.export.template import ExportOptions

    folder = tmp_path_factory.mktemp("read_back")
    run = write_run(folder / "run", network)
    return SegmenterExporter.of_run(run, ExportOptions(layout=request.param)).write(folder / "unet")


def architecture(**changes):
    from pipeline.training.segmenter.settings import Architecture

    widths = {"channels": SHAPE["channels"], "decoded_channels": SHAPE["decoded_channels"]}
    return Architecture(**widths | {"dropout": 0.0} | changes)


def started(bundle: Path, class_names=CLASS_NAMES, images=IMAGES, **changes) -> tuple[keras.Model, list[str]]:
    from pipeline.training.segmenter.initial.start import start_from, starting_network

    said: list[str] = []
    keras.utils.set_random_seed(1)
    model = starting_network(architecture(**changes), None, len(class_names), 1)
    start_from(model, architecture(**changes), str(bundle), class_names, images, said.append)
    return model, said


def answers(model, training=False) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in model(IMAGES, training=training).items()}


def test_it_answers_as_the_network_that_was_exported(bundle, network):
    model, said = started(bundle)
    for name, expected in answers(network).items():
        np.testing.assert_allclose(answers(model)[name], expected, rtol=1e-5, atol=1e-5)
    assert not said


def test_kernels_and_slopes_are_the_same_numbers(bundle, network):
    model, _ = started(bundle)
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense | keras.layers.PReLU):
            np.testing.assert_array_equal(model.get_layer(layer.name).get_weights()[0], layer.get_weights()[0])


def test_batch_normalisations_know_what_they_see(bundle, network):
    """In training each batch is normalised by itself: on the scans that they looked at the answers hardly change then."""
    from pipeline.training.segmenter.initial.bundle_weights import fill_from_bundle, settle_statistics, stored_network

    model, _ = started(bundle)
    bare = keras.models.clone_model(model)
    fill_from_bundle(bare, stored_network(bundle))
    at_rest = answers(model)["segmentation"]
    np.testing.assert_allclose(answers(bare)["segmentation"], at_rest, atol=1e-5)
    first = model.get_layer("backbone_level0_down_unit0_norm")
    entering = np.asarray(keras.Model(model.input, first.input)(IMAGES))
    np.testing.assert_allclose(np.asarray(first.moving_mean), entering.mean(axis=(0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(np.asarray(first.moving_variance), entering.var(axis=(0, 1, 2)), rtol=1e-3, atol=1e-6)
    # a second look changes nothing
    settle_statistics(model, IMAGES)
    np.testing.assert_allclose(answers(model)["segmentation"], at_rest, atol=1e-5)
    settled, unsettled = (np.abs(answers(each, training=True)["segmentation"] - at_rest).mean() for each in (model, bare))
    assert 5 * settled < unsettled


@pytest.mark.parametrize("names", [("TB", "Healthy"), tuple(reversed(CLASS_NAMES))])
def test_other_classes_keep_a_random_last_layer_and_the_rest(bundle, network, names):
    model, said = started(bundle, names)
    np.testing.assert_allclose(answers(model)["segmentation"], answers(network)["segmentation"], rtol=1e-5, atol=1e-5)
    assert model.output["classification"].shape[-1] == len(names)
    (warning,) = said
    assert ", ".join(CLASS_NAMES) in warning and "starts from random weights" in warning
    dense = [each.get_layer("classification_head_dense_2").get_weights()[0] for each in (model, network)]
    np.testing.assert_array_equal(*dense)


def test_other_widths_are_refused_and_nothing_is_guessed(bundle):
    with pytest.raises(CorruptArtifactError, match=r"cannot be read back as this network: .* has the shapes"):
        started(bundle, channels=(4, 8, 12, 16, 24))
    with pytest.raises(CorruptArtifactError, match="cannot be read back"):
        started(bundle, channels=(4, 8, 12))


def test_a_graph_whose_layers_were_merged_is_refused(bundle, tmp_path):
    from pipeline.training.segmenter.initial.graph_weights import read_graph_weights

    model = onnx.load(bundle / "unet.onnx")
    node = next(node for node in model.graph.node if node.op_type == "Mul")
    for other in model.graph.node:
        other.input[:] = [node.input[0] if name == node.output[0] else name for name in other.input]
    model.graph.node.remove(node)
    onnx.save(model, tmp_path / "merged.onnx")
    with pytest.raises(CorruptArtifactError, match="where Mul should be"):
        read_graph_weights(small_unet(2), tmp_path / "merged.onnx")


def test_a_graph_that_answers_otherwise_is_refused(bundle, monkeypatch):
    import pipeline.training.segmenter.initial.bundle_weights as module

    read = module.read_graph_weights

    def slightly_wrong(network, path):
        read(network, path)
        layer = network.get_layer("segmentation_head_logit")
        layer.set_weights([layer.get_weights()[0], layer.get_weights()[1] + 0.01])

    monkeypatch.setattr(module, "read_graph_weights", slightly_wrong)
    with pytest.raises(CorruptArtifactError, match="answers segmentation otherwise"):
        started(bundle)


def test_a_bundle_that_was_changed_or_is_no_segmenters_is_refused(bundle, tmp_path):
    import json
    import shutil

    from pipeline.engine.errors import MissingArtifactError
    from pipeline.training.segmenter.initial.bundle_weights import stored_network

    changed = shutil.copytree(bundle, tmp_path / "changed")
    (changed / "unet.onnx").write_bytes((changed / "unet.onnx").read_bytes() + b"0")
    with pytest.raises(CorruptArtifactError, match="was changed"):
        stored_network(changed)
    (changed / "unet.onnx").unlink()
    with pytest.raises(MissingArtifactError, match="missing from the bundle"):
        stored_network(changed)
    (changed / "bundle.json").write_text(json.dumps({"system": "gate"}))
    with pytest.raises(CorruptArtifactError, match="does not describe a segmenter's network"):
        stored_network(changed)
    # a single graph with its metadata beside it will do
    assert stored_network(bundle / "unet.onnx").class_names == tuple(CLASS_NAMES)
    assert stored_network(bundle / "unet.onnx")[1:] == stored_network(bundle)[1:]
