"""Gray and colour of one file: equal sizes, alpha, orientation, gray files without colour."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.data.reading.colour_reader import read_gray_and_colour
from pipeline.data.reading.gray_reader import read_gray
from pipeline.engine.errors import DataError

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_colour_comes_as_rgb_beside_the_gray_of_the_gray_reader(tmp_path: Path, suffix):
    path = tmp_path / f"picture.{suffix}"
    Image.fromarray(PICTURE).save(path)
    gray, colour = read_gray_and_colour(path)
    np.testing.assert_array_equal(colour, PICTURE)
    np.testing.assert_array_equal(gray, read_gray(path))


def test_a_gray_file_has_no_colour(tmp_path: Path):
    cv2.imwrite(str(tmp_path / "gray.png"), PICTURE[..., 0])
    assert read_gray_and_colour(tmp_path / "gray.png")[1] is None


def test_hidden_colour_behind_alpha_is_black(tmp_path: Path):
    rgba = np.dstack([PICTURE, np.where(np.arange(30) < 15, 255, 0)[None].repeat(20, 0).astype(np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "alpha.png")
    _, colour = read_gray_and_colour(tmp_path / "alpha.png")
    np.testing.assert_array_equal(colour[:, :15], PICTURE[:, :15])
    assert not colour[:, 15:].any()


def test_a_turned_jpeg_is_turned_in_both(tmp_path: Path):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(PICTURE).save(tmp_path / "turned.jpg", exif=exif)
    gray, colour = read_gray_and_colour(tmp_path / "turned.jpg")
    assert gray.shape == (30, 20) and colour.shape == (30, 20, 3)


def test_sixteen_bit_colour_is_narrowed(tmp_path: Path):
    cv2.imwrite(str(tmp_path / "deep.png"), PICTURE.astype(np.uint16)[..., ::-1] * 257)
    np.testing.assert_allclose(read_gray_and_colour(tmp_path / "deep.png")[1], PICTURE, atol=1)


@pytest.mark.parametrize(("name", "content"), [("absent.png", None), ("empty.png", b""), ("text.png", b"no picture at all")])
def test_what_cannot_be_read_is_named(tmp_path: Path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name):
        read_gray_and_colour(tmp_path / name)
