"""A segmenter's bundle: the graph answers as Keras does, on every runtime, and says what it needs."""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest

from pipeline.data.preprocessing import Profile
from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError, UsageError
from pipeline.engine.files import sha256_file

sys.path.insert(0, str(Path(__file__).parent))  # tiny_segmenter_run lies beside this file

from tiny_segmenter_run import CLASS_NAMES, INTERVAL, SHAPE, SIZE, small_unet, write_run

OPSETS = (13, 18)
ANSWERING = ("profile", "threshold", "lung_pieces", "mirror_average")


@pytest.fixture(scope="module")
def network():
    return small_unet()


@pytest.fixture(scope="module")
def run(network, tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("segmenter") / "run", network)


@pytest.fixture(scope="module")
def segmenter(run, tmp_path_factory):
    """The run's bundle with its Keras files, not to be changed."""
    from pipeline.export.segmenter.bundle import SegmenterExporter
    from pipeline.export.template import ExportOptions

    out = tmp_path_factory.mktemp("bundles") / "unet"
    return SegmenterExporter.of_run(run, ExportOptions(keras=True, card="Collected by **us**.")).write(out)


@pytest.fixture(scope="module")
def channels_first(run, tmp_path_factory):
    """``channels_first(opset)``: the run's bundle with its channels first, written once and not to be changed."""
    from pipeline.export.segmenter.bundle import SegmenterExporter
    from pipeline.export.segmenter.source import read_segmenter_run
    from pipeline.export.template import ExportOptions

    @cache
    def written(opset: int) -> Path:
        out = tmp_path_factory.mktemp("bundles") / f"unet_{opset}"
        return SegmenterExporter(read_segmenter_run(run), ExportOptions(opset=opset, layout="NCHW")).write(out)

    return written


def described(bundle: Path) -> dict:
    return json.loads((bundle / "bundle.json").read_text())


def test_the_graph(segmenter):
    graph = onnx.load(segmenter / "unet.onnx")
    doors = {
        door.name: [side.dim_param or side.dim_value for side in door.type.tensor_type.shape.dim]
        for door in (*graph.graph.input, *graph.graph.output)
    }
    assert doors == {
        "image": ["batch", "height", "width", 3], "segmentation": ["batch", "height", "width", 1], "classification": ["batch", 4],
    }  # fmt: skip
    assert graph.opset_import[0].version == 17
    kinds = [node.op_type for node in graph.graph.node]
    assert kinds.count("LeakyRelu") == 17 and kinds.count("Transpose") <= 2


def test_the_metadata(segmenter):
    meta = json.loads((segmenter / "unet.onnx.meta.json").read_text())
    assert meta["class_names"] == CLASS_NAMES and meta["img_size"] == SIZE and meta["opset"] == 17
    assert meta["outputs"] == ["segmentation", "classification"] and meta["dynamic_batch"] is True
    assert meta["layout"] == "NHWC" and "255" in meta["normalization"]
    document = described(segmenter)
    assert {entry: meta[entry] for entry in ANSWERING} == {entry: document[entry] for entry in ANSWERING}


def test_parity_on_the_runs_scans_and_on_random_input_is_recorded(segmenter):
    parity = described(segmenter)["parity"]
    assert parity["keras_max_difference"] <= 1e-4 and len(parity["checks"]) == 4
    against = {check["against"]: check["rows"] for check in parity["checks"].values()}
    assert against == {"Keras on scans of the run": 8, "Keras on random input": 4}


def test_what_the_bundle_says(segmenter):
    document = described(segmenter)
    assert document["system"] == "radiography_unet" and document["stored_precision"] == "float16"
    assert document["class_names"] == CLASS_NAMES and document["positive_class"] == "COVID" and document["gate"] is None
    assert document["figures"]["segmentation"]["dice"] == INTERVAL
    assert document["training"]["config"]["s07"]["weights"] == "own.weights.h5"
    names = {path.relative_to(segmenter).as_posix() for path in segmenter.rglob("*") if path.is_file()}
    assert set(document["files"]) == names - {"bundle.json"} >= {"keras/unet.weights.h5", "keras/unet.json"}


def test_the_card(segmenter):
    card = (segmenter / "MODEL_CARD.md").read_text()
    for said in ("0.970 [0.960, 0.980]", "Dice", "Collected by **us**", "set_a", "not a medical device", "Parity"):
        assert said in card
    assert "/home" not in card


def test_kernels_are_stored_in_half_precision(segmenter, network):
    weights = sum(int(np.prod(w.shape)) for w in network.weights if len(w.shape) >= 2)
    halved = sum(
        int(np.prod(tensor.dims))
        for tensor in onnx.load(segmenter / "unet.onnx").graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT16
    )
    assert halved == weights - 17  # the slopes stand in their nodes


@pytest.mark.parametrize("shape", [(64, 64), (50, 33), (90, 120)])
def test_three_runtimes_one_answer(segmenter, shape):
    from pipeline.inference.bundle import open_bundle
    from pipeline.inference.segmenter.runtimes import open_runtime, run_padded
    from pipeline.inference.segmenter.segmenter import Segmenter
    from pipeline.training.segmenter.keras_runtime import KerasRuntime

    bundle = open_bundle(segmenter).bundle
    runtimes = [open_runtime(bundle), open_runtime(bundle, "openvino"), KerasRuntime(bundle)]
    gray = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    answers = [Segmenter(bundle, "cpu", runtime).answer(gray) for runtime in runtimes]
    images = np.random.default_rng(2).random((1, *shape, 3), np.float32)
    direct = [run_padded(runtime, images) for runtime in runtimes]
    assert direct[0][0].shape == (1, *shape, 1) and np.ptp(direct[0][0]) > 0.01
    for answer, (lungs, logits) in zip(answers[1:], direct[1:], strict=True):
        np.testing.assert_allclose(answer.lung_probs, answers[0].lung_probs, atol=1e-4)
        np.testing.assert_allclose(list(answer.probabilities.values()), list(answers[0].probabilities.values()), atol=1e-4)
        np.testing.assert_allclose(lungs, direct[0][0], atol=1e-4)
        np.testing.assert_allclose(logits, direct[0][1], atol=1e-4)


def test_mirroring_and_pieces_travel_with_the_bundle(run, tmp_path):
    from dataclasses import replace

    from pipeline.export.segmenter.bundle import SegmenterExporter
    from pipeline.export.segmenter.source import read_segmenter_run
    from pipeline.inference.bundle import open_bundle

    source = read_segmenter_run(run)
    assert not source.mirror_average and source.lung_pieces == "all"
    bundle = SegmenterExporter(replace(source, mirror_average=True, lung_pieces="two_largest")).write(tmp_path / "unet")
    manifest = open_bundle(bundle).manifest
    assert manifest.mirror_average and manifest.lung_pieces == "two_largest"
    card = (bundle / "MODEL_CARD.md").read_text()
    assert "mirror image" in card and "two largest pieces" in card


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_grad_cam_from_the_graph_is_that_of_the_tape(segmenter, channels_first, network, layout):
    from pipeline.inference.activation.class_activation import at_size
    from pipeline.inference.bundle import open_bundle
    from pipeline.inference.segmenter.activation import SegmenterActivation
    from pipeline.inference.segmenter.segmenter import network_input
    from pipeline.models.grad_cam import grad_cam, map_gradients

    bundle = segmenter if layout == "NHWC" else channels_first(OPSETS[-1])
    shown = SegmenterActivation(open_bundle(bundle).bundle)
    gray = np.random.default_rng(7).integers(0, 256, (50, 40), dtype=np.uint8)
    image = network_input(gray, Profile(modality="xray", size=SIZE))
    drawn = 0
    for place, name in enumerate(CLASS_NAMES):
        told = map_gradients(network, image, np.array([place]), "backbone_level0_up_add")
        expected = at_size(grad_cam(told.feature_maps, told.gradients)[0], gray.shape)
        np.testing.assert_allclose(shown.activation(gray, name), expected, atol=0.03)
        drawn += expected.max() > 0
    assert drawn


@pytest.mark.parametrize("opset", OPSETS)
def test_channels_first_and_another_opset_give_the_same_answers(segmenter, channels_first, opset):
    from pipeline.inference.bundle import open_bundle
    from pipeline.inference.segmenter.runtimes import open_runtime

    out = channels_first(opset)
    assert onnx.load(out / "unet.onnx").opset_import[0].version == opset
    assert json.loads((out / "unet.onnx.meta.json").read_text())["layout"] == "NCHW"
    images = np.random.default_rng(4).random((3, 48, 32, 3), np.float32)
    first, second = (open_runtime(open_bundle(path).bundle).run(images) for path in (segmenter, out))
    np.testing.assert_allclose(second[0], first[0], atol=1e-5)
    np.testing.assert_allclose(second[1], first[1], atol=1e-5)


def test_an_opset_that_cannot_be_written_and_a_place_that_is_taken(run, tmp_path):
    from pipeline.export.segmenter.bundle import SegmenterExporter
    from pipeline.export.segmenter.source import read_segmenter_run
    from pipeline.export.template import ExportOptions

    source = read_segmenter_run(run)
    with pytest.raises(UsageError, match="opset 21"):
        SegmenterExporter(source, ExportOptions(opset=21)).write(tmp_path / "b")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(UsageError, match="left alone"):
        SegmenterExporter(source).write(tmp_path)


def test_a_network_that_does_not_belong_to_its_graph_is_not_exported(run, tmp_path, monkeypatch):
    from pipeline.export.segmenter import bundle as segmenter_bundle
    from pipeline.export.segmenter.source import read_segmenter_run

    other = small_unet(seed=9)
    real = segmenter_bundle.convert_segmenter
    monkeypatch.setattr(segmenter_bundle, "convert_segmenter", lambda network, *rest: real(other, *rest))
    with pytest.raises(CorruptArtifactError, match="parity of unet"):
        segmenter_bundle.SegmenterExporter(read_segmenter_run(run)).write(tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_a_changed_artifact_and_a_run_of_another_system(run, finished_run, tmp_path):
    import shutil

    from pipeline.export.segmenter.bundle import SegmenterExporter
    from pipeline.export.segmenter.source import read_segmenter_run

    mine = shutil.copytree(run, tmp_path / "run")
    weights = mine / "s07_segmenter" / "unet.weights.h5"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(CorruptArtifactError, match="was changed after it was made"):
        read_segmenter_run(mine)
    with pytest.raises(MissingArtifactError, match="holds no finished radiography_unet; it has respiratory_mtl"):
        SegmenterExporter.of_run(finished_run)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_a_network_trained_in_mixed_precision_is_exported_in_float32(policy, network):
    import keras

    from pipeline.export.segmenter.source import in_float32
    from pipeline.models.unet import build_unet

    keras.config.set_dtype_policy(policy)
    try:
        mixed = build_unet(len(CLASS_NAMES), **SHAPE)
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.set_weights(network.get_weights())
    images = np.random.default_rng(5).random((2, 32, 32, 3), np.float32)
    expected = network(images, training=False)
    found = in_float32(mixed)(images, training=False)
    for name in ("segmentation", "classification"):
        np.testing.assert_array_equal(found[name], expected[name])
        assert np.abs(np.asarray(mixed(images, training=False)[name]) - np.asarray(expected[name])).max() > 1e-6


def test_slopes_that_differ_by_channel_are_left_alone():
    import keras

    from pipeline.export.onnx.graphs import convert_network

    image = keras.Input((8, 8, 3), name="image")
    shared = keras.layers.PReLU(alpha_initializer="ones", shared_axes=[1, 2, 3], name="one")(image)
    features = keras.layers.PReLU(alpha_initializer="random_uniform", shared_axes=[1, 2], name="many")(shared)
    graph = convert_network(keras.Model(image, features), ("features",), {})
    kinds = [node.op_type for node in graph.graph.node]
    assert kinds.count("LeakyRelu") == 1 and kinds.count("Neg") > 0
    onnx.checker.check_model(graph, full_check=True)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A checkpoint of the full-size network, as PyTorch writes one."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
    from collections import OrderedDict

    from torch_containers import Tensor, write_zip

    from pipeline.models.checkpoints import tensor_slots
    from pipeline.models.unet import build_unet

    chance = np.random.default_rng(6)
    slots = [slot for chosen in tensor_slots(build_unet(4)).values() for slot in chosen]
    tensors = OrderedDict(
        (slot.name, Tensor(chance.uniform(0.01, 0.03, slot.shape).astype(np.float32))) for slot in slots
    )
    return write_zip(tmp_path_factory.mktemp("pth") / "unet.pth", {"model_state_dict": tensors, "epoch": 3})


def test_a_checkpoint_becomes_a_bundle(checkpoint, tmp_path):
    from pipeline.export.segmenter.bundle import SegmenterExporter
    from pipeline.export.segmenter.source import read_checkpoint

    out = SegmenterExporter(read_checkpoint(checkpoint, CLASS_NAMES, image_size=64)).write(tmp_path / "unet")
    document = described(out)
    assert document["training"]["imported_from"] == {"unet.pth": sha256_file(checkpoint)}
    assert document["image_size"] == 64 and document["stored_precision"] == "float32" and document["keras"] is None
    assert "not evaluated here" in (out / "MODEL_CARD.md").read_text()
    assert sum(entry["bytes"] for entry in document["files"].values()) < 30e6


@pytest.mark.parametrize("names", [["A"], ["A", "A"], ["A", ""]])
def test_class_names_that_are_none(checkpoint, names):
    from pipeline.export.segmenter.source import read_checkpoint

    with pytest.raises(UsageError, match="two or more different names"):
        read_checkpoint(checkpoint, names)


def test_a_checkpoint_of_other_classes_names_its_tensors(checkpoint):
    from pipeline.export.segmenter.source import read_checkpoint

    with pytest.raises(CorruptArtifactError, match=r"classifier\.9\.weight has shape \(4, 128\), not \(3, 128\)"):
        read_checkpoint(checkpoint, ["A", "B", "C"])
