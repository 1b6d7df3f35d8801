"""Every runtime and layout gives the same answers; sizes that are no multiples of 16 are padded and cropped back."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_segmenter import CLASS_NAMES, KERNEL, write_graph

from pipeline.engine.errors import CorruptArtifactError
from pipeline.inference.segmenter.runtimes import OnnxRuntime, OpenVinoRuntime, run_mirrored, run_padded


@pytest.fixture(scope="module")
def images():
    gray = np.random.default_rng(0).random((2, 32, 48, 1), np.float32)
    return np.repeat(gray, 3, axis=-1)


@pytest.mark.parametrize("runtime", [OnnxRuntime, OpenVinoRuntime])
@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_answers_as_worked_out_by_hand(runtime, layout, images, tmp_path):
    lungs, logits = runtime(write_graph(tmp_path / "unet.onnx", layout), layout).run(images)
    assert lungs.shape == (2, 32, 48, 1) and lungs.dtype == logits.dtype == np.float32
    np.testing.assert_allclose(lungs, images[..., :1], atol=1e-6)
    np.testing.assert_allclose(logits, images[..., 0].mean(axis=(1, 2))[:, None] @ KERNEL, atol=1e-5)


@pytest.mark.parametrize("runtime", [OnnxRuntime, OpenVinoRuntime])
def test_a_graph_of_the_other_layout_or_no_graph(runtime, tmp_path):
    network = write_graph(tmp_path / "unet.onnx", "NCHW")
    with pytest.raises(CorruptArtifactError, match="NHWC image of 3 channels"):
        runtime(network, "NHWC")
    network.write_bytes(b"this is no graph")
    with pytest.raises(CorruptArtifactError, match="refuses the graph"):
        runtime(network)


def test_classes_in_the_graph_must_be_those_of_the_description(tmp_path):
    network = write_graph(tmp_path / "unet.onnx", class_names=["BETA", "ALPHA", "GAMMA"])
    with pytest.raises(CorruptArtifactError, match="class_names in the graph"):
        OnnxRuntime(network, class_names=tuple(CLASS_NAMES))


class Recorder:
    """Refuses what a real network would refuse, and answers with the image's first channel."""

    name = "recorder"

    def __init__(self):
        self.seen = []

    def run(self, images):
        assert images.shape[1] % 16 == 0 and images.shape[2] % 16 == 0
        self.seen.append(images)
        return images[..., :1], np.zeros((len(images), 2), np.float32)


@pytest.mark.parametrize("shape", [(32, 48), (33, 48), (17, 50), (15, 16)])
def test_other_sizes_are_padded_at_the_far_edges_and_cropped_back(shape):
    recorder = Recorder()
    images = np.random.default_rng(1).random((1, *shape, 3), np.float32)
    lungs, _ = run_padded(recorder, images)
    np.testing.assert_array_equal(lungs, images[..., :1])
    padded = recorder.seen[0]
    assert padded.shape[1] - shape[0] < 16 and padded.shape[2] - shape[1] < 16
    np.testing.assert_array_equal(padded[:, -1, : shape[1]], images[:, -1])


class LeftSided:
    """Lung is what is bright in the left half; the logits are the means of both halves."""

    name = "left_sided"

    def run(self, images):
        half = images.shape[2] // 2
        lungs = images[..., :1] * (np.arange(images.shape[2]) < half)[:, None]
        return lungs, np.stack([part.mean(axis=(1, 2, 3)) for part in (images[:, :, :half], images[:, :, half:])], axis=-1)


def test_the_mirrored_answer_is_turned_back_before_the_mean():
    gray = np.random.default_rng(2).random((2, 16, 32, 1), np.float32)
    lungs, logits = run_mirrored(LeftSided(), np.repeat(gray, 3, axis=-1))
    np.testing.assert_allclose(lungs, gray / 2, atol=1e-7)
    np.testing.assert_allclose(logits, np.repeat(gray.mean(axis=(1, 2, 3))[:, None], 2, axis=1), atol=1e-6)


def test_mirroring_pads_the_far_edge_of_either_image():
    images = np.random.default_rng(3).random((1, 17, 50, 3), np.float32)
    lungs, _ = run_mirrored(Recorder(), images)
    np.testing.assert_allclose(lungs, images[..., :1], atol=1e-7)
