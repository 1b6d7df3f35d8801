"""One image through a segmenter: training's preprocessing, the image's own size, the threshold after the resize."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from tiny_segmenter import KERNEL, NETWORK, describe, write_segmenter

from pipeline.data.preprocessing import Profile, preprocess
from pipeline.engine.errors import CorruptArtifactError, DataError
from pipeline.inference.activation.class_activation import at_size
from pipeline.inference.bundle import open_bundle
from pipeline.inference.opened_bundle import softmax
from pipeline.inference.segmenter.activation import SegmenterActivation
from pipeline.inference.segmenter.segmenter import network_input, resized_back


def opened(folder, **changes):
    return open_bundle(write_segmenter(folder, **changes))


@pytest.fixture
def gray():
    """Dark at the left, bright at the right, 90 px high and 120 px wide."""
    return np.tile(np.linspace(0, 255, 120).astype(np.uint8), (90, 1))


def test_the_answer_by_hand(gray, tmp_path):
    answer = opened(tmp_path / "unet").answer(gray)
    assert answer.lung_probs.shape == answer.lung_mask.shape == gray.shape
    np.testing.assert_allclose(answer.lung_probs, gray / 255, atol=0.02)
    assert not answer.lung_mask[:, :58].any() and answer.lung_mask[:, 62:].all()
    logits = preprocess(gray, Profile(modality="xray", size=32)).mean() / 255 * KERNEL[0]
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(list(answer.probabilities.values()), expected, atol=1e-5)
    assert (answer.predicted, answer.confidence) == ("GAMMA", pytest.approx(expected[2], abs=1e-5))


def test_the_threshold_is_the_bundles(gray, tmp_path):
    low = opened(tmp_path / "low", threshold=0.1).answer(gray).lung_mask.mean()
    high = opened(tmp_path / "high", threshold=0.9).answer(gray).lung_mask.mean()
    assert low == pytest.approx(0.9, abs=0.03) and high == pytest.approx(0.1, abs=0.03)


def test_the_profiles_operations_are_applied(gray):
    plain, clahe = (network_input(gray, Profile(modality="xray", size=32, operations=o)) for o in ((), ("clahe",)))
    assert plain.shape == (1, 32, 32, 3) and plain.dtype == np.float32 and plain.max() <= 1
    expected = preprocess(gray, Profile(modality="xray", size=32, operations=("clahe",))) / np.float32(255)
    np.testing.assert_array_equal(clahe[0, ..., 2], expected)
    assert np.abs(plain - clahe).max() > 0.01


def test_probabilities_are_resized_smoothly_before_the_threshold():
    step = np.zeros((4, 4), np.float32)
    step[:, 2:] = 1
    wide = resized_back(step, (40, 80))
    assert wide.shape == (40, 80) and ((wide > 0.01) & (wide < 0.99)).any() and wide.min() >= 0 and wide.max() <= 1


def test_softmax_of_large_logits():
    np.testing.assert_allclose(softmax(np.array([1000.0, 1000.0, -1000.0])), [0.5, 0.5, 0])


def test_a_network_of_other_classes_or_without_numbers(gray, tmp_path):
    with pytest.raises(CorruptArtifactError, match="tells 2 classes apart"):
        opened(tmp_path / "two", kernel=KERNEL[:, :2]).answer(gray)
    with pytest.raises(DataError, match="no numbers"):
        opened(tmp_path / "nan", kernel=np.full_like(KERNEL, np.nan)).answer(gray)


def test_a_bundle_may_answer_with_the_mean_over_the_mirror_image(gray, tmp_path, monkeypatch):
    seen = []
    mirrored = opened(tmp_path / "mirrored", mirror_average=True)
    run = mirrored.runtime.run
    monkeypatch.setattr(mirrored.runtime, "run", lambda images: seen.append(images) or run(images))
    plain, answer = opened(tmp_path / "plain").answer(gray), mirrored.answer(gray)
    np.testing.assert_array_equal(seen[1], seen[0][:, :, ::-1])
    # The tiny network looks at single pixels, so that its answer does not change.
    np.testing.assert_allclose(answer.lung_probs, plain.lung_probs, atol=1e-6)
    assert answer.probabilities == pytest.approx(plain.probabilities, abs=1e-6)


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("told", ["attribute", "from behind", "input", "constant"])
def test_heat_maps_whichever_way_a_graph_takes_the_mean_over_the_sides(gray, tmp_path, layout, keepdims, told):
    bundle = write_segmenter(tmp_path / "tiny", layout)
    model = onnx.load(bundle / NETWORK)
    mean = next(node for node in model.graph.node if node.op_type == "ReduceMean")
    axes, kept = (next(field for field in mean.attribute if field.name == name) for name in ("axes", "keepdims"))
    kept.i = keepdims
    if told == "from behind":
        axes.ints[:] = [axis - 4 for axis in axes.ints]
    elif told != "attribute":  # as of opset 18
        stored = onnx.numpy_helper.from_array(np.array(axes.ints), "axes")
        mean.attribute.remove(axes)
        mean.input.append("axes")
        model.opset_import[0].version = 18
        if told == "input":
            model.graph.initializer.append(stored)
        else:
            model.graph.node.insert(0, onnx.helper.make_node("Constant", [], ["axes"], value=stored))
    onnx.checker.check_model(model)
    onnx.save(model, bundle / NETWORK)
    describe(bundle, layout)
    drawn = SegmenterActivation(open_bundle(bundle).bundle).activation(gray, "GAMMA")
    # the class's logit is twice the mean of the lung probabilities, which are the gray levels
    seen = network_input(gray, open_bundle(bundle).bundle.manifest.profile)[0, ..., 0]
    np.testing.assert_allclose(drawn, at_size(seen / seen.max(), gray.shape), atol=1e-5)
