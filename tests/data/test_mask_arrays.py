"""Lung masks: threshold, nearest neighbour, rows beside the scans' rows, and what happens to a broken one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.data.masks.mask_arrays import write_mask_arrays
from pipeline.data.masks.mask_coding import read_mask_coding
from pipeline.data.masks.mask_reader import read_mask, resize_mask
from pipeline.data.preprocessing import Profile
from pipeline.data.scans import Scan
from pipeline.engine.arrays import ArrayWriter, open_array

OVER_127 = read_mask_coding([], ["128-255"])


@pytest.fixture
def gray_mask(tmp_path):
    """A 40x20 mask file of gray values 0, 127, 128 and 255, one quarter each."""
    values = np.zeros((20, 40), np.uint8)
    values[:10, 20:], values[10:, :20], values[10:, 20:] = 127, 128, 255
    path = tmp_path / "mask.png"
    cv2.imwrite(str(path), values)
    return path


def test_lung_is_what_lies_over_127(gray_mask):
    mask = read_mask(gray_mask, 20, OVER_127)
    assert mask.dtype == np.uint8 and mask.shape == (20, 20)
    assert mask[:10].sum() == 0 and mask[10:].all()


def test_no_value_in_between_appears_at_any_size(gray_mask):
    for size in (17, 20, 33, 64):
        assert set(np.unique(read_mask(gray_mask, size, OVER_127))) == {0, 1}
    assert resize_mask(np.eye(3, dtype=np.uint8), (6, 6))[::2, ::2].tolist() == np.eye(3).tolist()


def test_one_bit_png_is_read(tmp_path):
    from PIL import Image

    path = tmp_path / "one_bit.png"
    Image.fromarray(np.tile(np.arange(32) >= 16, (32, 1))).save(path)
    mask = read_mask(path, 32, read_mask_coding([path]))
    assert mask[:, :16].sum() == 0 and mask[:, 16:].all()


def test_rows_follow_the_scans_and_a_broken_mask_is_named(tmp_path, gray_mask):
    broken = tmp_path / "broken.png"
    broken.write_text("no picture")
    scans = [
        Scan("a", tmp_path / "a", "xray", "X", mask=gray_mask),
        Scan("b", tmp_path / "b", "xray", "X"),
        Scan("c", tmp_path / "c", "ct", "X", mask=gray_mask),
        Scan("d", tmp_path / "d", "xray", "X", mask=broken),
    ]
    places = {}

    def writer(name, profile):
        places[name] = tmp_path / f"{name}.npy"
        return ArrayWriter(places[name], (profile.size, profile.size), "uint8")

    profiles = {"small": Profile(modality="xray", size=16), "large": Profile(modality="xray", size=32)}
    written = write_mask_arrays(scans, profiles, writer, lambda each: each, ["128-255"])
    marked, failures = written.scans, written.failures
    small, large = open_array(places["small"]), open_array(places["large"])
    assert small.shape == (3, 16, 16) and large.shape == (3, 32, 32)
    assert small[0, 8:].all() and not small[0, :8].any() and not small[1:].any()
    assert [scan.mask is not None for scan in marked] == [True, False, True, False]
    assert list(failures) == ["d"] and "broken.png" in failures["d"]
