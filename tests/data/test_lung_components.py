"""Two lungs are kept, specks and holes are not; hand-drawn masks."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.data.masks.lung_components import lung_pieces


def drawn(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """Rectangles (top, bottom, left, right) on a 20 x 20 mask."""
    mask = np.zeros((20, 20), bool)
    for top, bottom, left, right in boxes:
        mask[top:bottom, left:right] = True
    return mask


RIGHT, LEFT, SPECK = (4, 16, 2, 8), (4, 14, 12, 18), (0, 3, 0, 2)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (drawn(RIGHT, LEFT, SPECK), drawn(RIGHT, LEFT)),
        (drawn(RIGHT, SPECK), drawn(RIGHT)),  # 6 of 72 pixels: no second lung
        (drawn(RIGHT, (0, 4, 14, 16)), drawn(RIGHT, (0, 4, 14, 16))),  # 8 of 72 pixels
        (drawn(), drawn()),
    ],
    ids=["three pieces", "a lung and a speck", "a tenth counts", "nothing"],
)
def test_what_is_kept(given, expected):
    np.testing.assert_array_equal(lung_pieces(given, "two_largest"), expected)


def test_holes_are_filled_and_bays_are_not():
    mask = drawn(RIGHT, LEFT)
    mask[8:10, 4:6] = False
    mask[6:8, 12:14] = False
    filled = lung_pieces(mask, "two_largest")
    assert filled[8:10, 4:6].all() and not filled[6:8, 12:14].any()


def test_pieces_that_touch_by_a_corner_are_two():
    mask = drawn((0, 6, 0, 6), (6, 12, 6, 12), (14, 17, 14, 17))
    np.testing.assert_array_equal(lung_pieces(mask, "two_largest"), drawn((0, 6, 0, 6), (6, 12, 6, 12)))


def test_all_pieces_are_left_alone():
    mask = np.random.default_rng(1).random((20, 20)) < 0.5
    np.testing.assert_array_equal(lung_pieces(mask, "all"), mask)
