"""A classifier's bundle: what is refused, how it decides, and its heat maps."""

import cv2
import numpy as np
import pytest
from tiny_classifier import BINARY, CHANNELS, NETWORK, PLACES, THREE, describe, head_of, write_classifier

from pipeline.data.layouts.source_images import find_images
from pipeline.engine.errors import CorruptArtifactError, UsageError
from pipeline.inference.activation.class_activation import at_size, grad_cam, grad_cam_plus_plus
from pipeline.inference.activation.overlays import draw_activation
from pipeline.inference.answered_rows import answer_rows, feature_rows, write_class_table
from pipeline.inference.bundle import open_bundle
from tests.pictures import as_read, shaded


@pytest.fixture
def binary(tmp_path):
    return write_classifier(tmp_path / "binary")


def level(value, shape=(40, 60)):
    return np.full(shape, value, np.uint8)


def test_the_answer_is_that_of_the_head(binary):
    answer = open_bundle(binary).answer(as_read(level(153)))
    np.testing.assert_allclose(answer.features, 0.6 * np.array([1, 0.5, 2, 0.25]), rtol=1e-5)
    logits = (0.6 - 0.5) * np.array([1, 0.5, 2, 0.25]) @ head_of(2).astype(np.float64)
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(list(answer.probabilities.values()), expected, rtol=1e-4)
    assert answer.predicted == "PNEUMONIA" and answer.confidence == answer.probabilities["PNEUMONIA"]
    assert answer.activations == {}


@pytest.mark.parametrize(("threshold", "predicted"), [(0.05, "PNEUMONIA"), (0.5, "NORMAL")])
def test_the_threshold_of_the_bundle_decides(binary, threshold, predicted):
    describe(binary, threshold=threshold)
    answer = open_bundle(binary).answer(as_read(level(115)))
    assert 0.05 < answer.probabilities["PNEUMONIA"] < 0.5 and answer.predicted == predicted
    assert answer.confidence == answer.probabilities[predicted]


def test_without_a_positive_class_the_most_probable_is_named(tmp_path):
    classifier = open_bundle(write_classifier(tmp_path / "three", THREE))
    assert classifier.answer(as_read(level(200))).predicted == "VIRUS"
    assert classifier.answer(as_read(level(20))).predicted == "BACTERIA"
    assert sum(classifier.answer(as_read(level(90))).probabilities.values()) == pytest.approx(1)


def test_heat_maps_have_the_scans_size_and_show_the_bright_place(binary):
    scan = level(180)
    scan[:, 30:] = 250
    maps = open_bundle(binary).answer(scan, methods=("gradcam", "gradcam_plus_plus")).activations
    for activation in maps.values():
        assert activation.shape == scan.shape and activation.max() == 1 and activation.min() >= 0
        assert activation[:, 45:].mean() > 1.2 * activation[:, :15].mean()


def test_grad_cam_by_hand():
    maps = np.array([[[1.0, 2.0], [0.0, 4.0]], [[3.0, 0.0], [0.0, 2.0]]])
    weights = np.array([4.0, -2.0]) / 4
    np.testing.assert_allclose(grad_cam(maps, np.array([4.0, -2.0])), np.maximum(maps @ weights, 0))
    # channel 0: α = 1/(2 + 1·4) and weight 4·α·1; channel 1 has no positive gradient
    np.testing.assert_allclose(grad_cam_plus_plus(maps, np.array([4.0, -2.0])), maps[..., 0] * 4 / 6, rtol=1e-6)
    assert not grad_cam(maps, np.array([0.0, -1.0])).any() and not grad_cam_plus_plus(maps, np.zeros(2)).any()


def test_a_map_without_evidence_stays_empty():
    assert not at_size(np.zeros((3, 3), np.float32), (20, 30)).any()
    large = at_size(np.eye(3, dtype=np.float32), (30, 30))
    assert large.max() == 1 and large.dtype == np.float32


def test_the_overlay_shows_the_scan_where_there_is_no_evidence():
    scan = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    activation = np.zeros((64, 64), np.float32)
    activation[:, 32:] = 1
    picture = draw_activation(scan, activation)
    assert (picture[:, :32] == scan[:, :32, None]).all() and picture.shape == (64, 64, 3)
    assert (picture[:, 32:] != scan[:, 32:, None]).any()
    written = draw_activation(scan, activation, "Grad-CAM: Lungenentzündung 93.1 %")
    assert (written != picture).any() and (written[40:] == picture[40:]).all()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"class_names": ["A", "A"]}, "stands twice"),
        ({"positive_class": "COVID"}, "not among class_names"),
        ({"threshold": None}, "belong together"),
        ({"threshold": 1.5}, "threshold"),
        ({"class_names": list(THREE)}, "decides between two classes|not among"),
        ({"network": {"file": "../x.onnx"}}, "gives no hash"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(binary, changes, named):
    describe(binary, **changes)
    with pytest.raises(CorruptArtifactError, match=named):
        open_bundle(binary)


def test_a_bundle_of_another_system_names_its_command(bundle):
    with pytest.raises(UsageError, match="classify reads those of 'classifier' and 'vision_text'.*Use predict"):
        open_bundle(bundle, command="classify")


def test_a_changed_graph_and_swapped_classes_are_refused(binary, tmp_path):
    swapped = write_classifier(tmp_path / "swapped", BINARY, BINARY[::-1])
    with pytest.raises(CorruptArtifactError, match="class_names in the graph"):
        open_bundle(swapped).answer(as_read(level(9)))
    (binary / NETWORK).write_bytes((binary / NETWORK).read_bytes() + b"\0")
    with pytest.raises(CorruptArtifactError, match="was changed"):
        open_bundle(binary)


def test_answers_features_and_failures_keep_the_rows(binary, tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), shaded(40, 60, 60 * number + 40))
    (folder / "1.png").write_bytes(b"no picture")
    classifier = open_bundle(binary)
    answers = list(answer_rows(find_images([folder]), lambda image: classifier.answer(image.path).without_pictures()))
    rows = feature_rows(answers)
    assert rows.shape == (3, CHANNELS) and np.isnan(rows[1]).all() and np.isfinite(rows[[0, 2]]).all()
    write_class_table(tmp_path / "answers.csv", answers, BINARY)
    lines = (tmp_path / "answers.csv").read_text().splitlines()
    told = "gate,distance,distance_threshold,seen,warnings"
    assert lines[0] == f"image,predicted,confidence,prob_NORMAL,prob_PNEUMONIA,error,{told}"
    assert lines[1].startswith("0.png,NORMAL,") and lines[2].startswith("1.png,,,,,") and len(lines) == 4
    assert PLACES * PLACES > 1
