"""Perceptual hashes: copies stay near, other pictures far, and mirror images are had from the same frequencies."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.data.splitting.picture_hash import (
    BITS,
    FLIPS,
    bits_apart,
    flip_signs,
    hashes_of,
    low_waves,
    middles,
    picture_waves,
)
from tests.smooth_scans import smooth_scan


@pytest.fixture(scope="module")
def chests() -> np.ndarray:
    return np.stack([smooth_scan(seed, 224) for seed in range(8)])


def test_the_frequencies_are_those_of_a_cosine_transform():
    pictures = np.random.default_rng(0).integers(0, 256, (2, 32, 32), dtype=np.uint8)
    found = low_waves(pictures, 8)
    for picture, waves in zip(pictures, found, strict=True):
        # the plain sums of cosines: OpenCV's transform scales the first row and column by 1/√2
        whole = cv2.dct(picture.astype(np.float64))[:8, :8]
        whole[0] *= np.sqrt(2)
        whole[:, 0] *= np.sqrt(2)
        expected = whole.ravel()[1:]
        assert waves == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)


@pytest.mark.parametrize(("flip", "axes"), [("", ()), ("mirrored", (1,)), ("upside down", (0,)), ("turned by 180°", (0, 1))])
def test_the_frequencies_of_a_mirror_image(chests, flip, axes):
    assert set(FLIPS) == {"", "mirrored", "upside down", "turned by 180°"}
    turned = np.flip(chests[0], axes) if axes else chests[0]
    assert picture_waves(chests[0]) * flip_signs(flip) == pytest.approx(picture_waves(np.ascontiguousarray(turned)), abs=1e-5)


def test_no_picture_lies_on_the_middle_of_a_set(chests):
    waves = np.stack([picture_waves(gray) for gray in chests])
    for count in range(2, len(waves) + 1):
        middle, few = middles(waves[:count]), waves[:count]
        assert ((few > middle).sum(axis=0) == count - count // 2).all()
        assert (np.abs(few - middle).min(axis=0) > 0).all()
    assert not middles(waves[:1]).any()


def test_copies_are_near_and_others_far(chests):
    waves = np.stack([picture_waves(gray) for gray in chests])
    hashes = hashes_of(waves, middles(waves))
    assert hashes.shape == (8, 32) and hashes.dtype == np.uint8
    for place, gray in enumerate(chests):
        halved = cv2.resize(gray, (112, 112), interpolation=cv2.INTER_AREA)
        stored = cv2.imencode(".jpg", halved, [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
        copy = cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE)
        apart = bits_apart(hashes, hashes_of(picture_waves(copy)[None], middles(waves))[0])
        assert apart[place] <= 16 and np.delete(apart, place).min() > 32
    assert bits_apart(hashes, ~hashes[0])[0] == 8 * 32 and BITS == 255


@pytest.mark.parametrize("shape", [(16, 16), (20, 300), (300, 20), (64, 64)])
def test_small_and_narrow_pictures_have_a_hash(shape):
    gray = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    assert np.linalg.norm(picture_waves(gray)) == pytest.approx(1, abs=1e-5)
