"""The drawn answer keeps the picture's size and says on which side each lung is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.inference.answers import Finding
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
