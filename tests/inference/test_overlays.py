"""The drawn answer keeps the picture's size and says on which side each lung is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.inference.answers import Finding
from pipeline.inference.classifier.bundle import ClassifierManifest
from pipeline.inference.opened_bundle import finding_of
from pipeline.inference.pictures import write_png
from pipeline.inference.segmenter.overlays import LEFT_COLOUR, RIGHT_COLOUR, draw_overlay, mask_picture


def drawn(gray, mask, predicted="COVID"):
    return draw_overlay(gray, mask, Finding("xray", predicted=predicted, confidence=0.934).caption)


@pytest.fixture
def mask():
    lungs = np.zeros((200, 300), bool)
    lungs[30:140, 50:130] = lungs[30:140, 170:250] = True
    return lungs


def test_tint_outline_and_the_rest_untouched(mask):
    gray = np.full(mask.shape, 100, np.uint8)
    picture = drawn(gray, mask)
    assert picture.shape == (200, 300, 3) and picture.dtype == np.uint8
    assert tuple(picture[30, 60]) == RIGHT_COLOUR and tuple(picture[139, 200]) == LEFT_COLOUR
    blue, _, red = picture[80, 90].astype(int)
    assert blue > 110 and red < 100
    blue, _, red = picture[80, 210].astype(int)
    assert red > 110 and blue < 100
    assert (picture[10:25] == 100).all() and (picture[80, 145:160] == 100).all()


def test_the_caption_is_written_in_light_on_dark_below(mask):
    gray = np.full(mask.shape, 200, np.uint8)
    picture = drawn(gray, mask)
    bar = picture[180:]
    assert (bar == 255).any() and np.median(bar) == 50
    longer = drawn(gray, mask, "LUNG OPACITY")
    assert (longer[180:] == 255).sum() > (bar == 255).sum()


@pytest.mark.parametrize(("positive", "threshold", "said"), [
    (0.693, 0.72, "NORMAL (PNEUMONIA 69.3 %, below the threshold of 72 %)"),
    (0.7196, 0.72, "NORMAL (PNEUMONIA 71.96 %, below the threshold of 72 %)"),
    (0.72, 0.72, "PNEUMONIA 72.0 %"),
    (0.4, 0.72, "NORMAL 60.0 %"),
    (0.35, 0.3, "PNEUMONIA (35.0 %, reaches the threshold of 30 %)"),
    (0.1234, 0.1234, "PNEUMONIA (12.3 %, reaches the threshold of 12.3 %)"),
    (0.2, 0.3, "NORMAL 80.0 %"),
    (0.5, 0.5, "PNEUMONIA 50.0 %"),
    (0.4999, 0.5, "NORMAL 50.0 %"),
    (0.9, None, "PNEUMONIA 90.0 %"),
    (0.99961, 0.72, "PNEUMONIA >99.9 %"),
    (0.9989, 0.72, "PNEUMONIA 99.9 %"),
    (0.9985, 0.999, "NORMAL (PNEUMONIA 99.85 %, below the threshold of 99.9 %)"),
])  # fmt: skip
def test_a_class_that_only_its_threshold_names_says_so(positive, threshold, said):
    names = ("NORMAL", "PNEUMONIA")
    manifest = ClassifierManifest(
        system="classifier", class_names=names, positive_class=names[1] if threshold is not None else None, threshold=threshold,
        profile={"modality": "xray", "size": 16, "operations": []}, network={"file": "a.onnx"},
        files={"a.onnx": {"sha256": "0" * 64, "bytes": 1}},
    )  # fmt: skip
    finding = finding_of(manifest, "xray", np.array([1 - positive, positive]))
    assert finding.caption == said
    assert finding.confidence == finding.probabilities[finding.predicted]


def test_three_classes_have_no_threshold():
    finding = Finding("xray", {"a": 0.3, "b": 0.4, "c": 0.3}, predicted="b", confidence=0.4)
    assert finding.caption == "b 40.0 %"


def test_a_caption_too_long_for_one_line_goes_on_below():
    gray, lungs = np.full((224, 224), 200, np.uint8), np.zeros((224, 224), bool)
    bars = []
    for text in ("NORMAL 98.0 %", "NORMAL (PNEUMONIA 69.3 %, below the threshold of 72 %)"):
        picture = draw_overlay(gray, lungs, text)
        bars.append(int((picture[:, 0, 0] < 200).sum()))
        assert (picture[:, -1] < 210).all(), "letters run over the edge"
    assert 1.5 * bars[0] < bars[1] < 4 * bars[0]


def test_the_captions_words():
    assert Finding("xray", predicted="COVID", confidence=0.934).caption == "COVID 93.4 %" and Finding("xray").caption == ""
    gray, mask = np.full((200, 300), 200, np.uint8), np.zeros((200, 300), bool)
    np.testing.assert_array_equal(drawn(gray, mask, "Lungenentzündung"), drawn(gray, mask, "Lungenentz?ndung"))


@pytest.mark.parametrize("shape", [(16, 16), (20, 600), (600, 20), (1200, 1000)])
def test_any_size_has_room_for_it(shape):
    gray = np.full(shape, 128, np.uint8)
    picture = drawn(gray, np.zeros(shape, bool), "A class with a rather long name")
    assert picture.shape == (*shape, 3) and (picture != 128).any()
    assert (picture[:, -1] < 200).all(), "letters run over the edge"


def test_files(mask, tmp_path):
    path = tmp_path / "deep" / "below" / "x.png"
    write_png(path, mask_picture(mask))
    read = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(read, np.where(mask, 255, 0))
