"""Areas and ratios of drawn lungs, against numbers counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.data.masks.lung_geometry import COLUMNS, measure_lungs, split_sides


def drawn(*boxes, shape=(100, 200)) -> np.ndarray:
    """Boxes (top, bottom, left, right), ends excluded."""
    mask = np.zeros(shape, bool)
    for top, bottom, left, right in boxes:
        mask[top:bottom, left:right] = True
    return mask


RIGHT, LEFT = (10, 80, 30, 80), (20, 90, 110, 180)


def test_two_boxes():
    measured = measure_lungs(drawn(RIGHT, LEFT))
    assert (measured.lung_px_right, measured.lung_px_left) == (70 * 50, 70 * 70)
    assert measured.lung_share_right == 3500 / 20000
    assert measured.thoracic_width_px == 150
    assert measured.mediastinal_thoracic_ratio == 30 / 150
    assert measured.lung_height_ratio == 1
    assert measured.thorax_width_to_height == 150 / 80
    assert tuple(measured.document()) == COLUMNS


def test_the_patients_right_lung_is_on_the_pictures_left():
    right, left = split_sides(drawn(RIGHT, LEFT))
    assert right[40, 50] and not left[40, 50] and left[40, 150] and not right[40, 150]
    mirrored = measure_lungs(drawn(RIGHT, LEFT)[:, ::-1])
    assert (mirrored.lung_px_right, mirrored.lung_px_left) == (70 * 70, 70 * 50)


def test_lungs_that_touch_are_cut_at_the_emptiest_column():
    bridge = (50, 55, 80, 110)
    right, left = split_sides(drawn(RIGHT, LEFT, bridge))
    assert right.sum() + left.sum() == 3500 + 4900 + 150 and not (right & left).any()
    assert 3500 <= right.sum() <= 3650 and 4900 <= left.sum() <= 5050


def test_a_lung_that_reaches_over_the_middle_stays_whole():
    mask = drawn((10, 80, 20, 85), (20, 90, 92, 180))
    right, left = split_sides(mask)
    assert right.sum() == 70 * 65 and left.sum() == 70 * 88


def test_a_fragment_goes_to_its_side():
    fragment = (85, 88, 40, 45)
    right, _ = split_sides(drawn(RIGHT, LEFT, fragment))
    assert right.sum() == 3500 + 15


def test_the_gap_below_a_diaphragm_does_not_count():
    """Below row 70 only the outer edges go on: there the lungs' inner edges are far apart, which is no mediastinum."""
    mask = drawn((10, 70, 30, 80), (70, 90, 30, 35), (10, 70, 110, 180), (70, 90, 175, 180))
    assert measure_lungs(mask).mediastinal_thoracic_ratio == 30 / 150


@pytest.mark.parametrize(("mask", "pixels"), [(drawn(RIGHT), (3500, 0)), (drawn(LEFT), (0, 4900)), (drawn(), (0, 0))])
def test_a_missing_lung_leaves_the_ratios_undefined(mask, pixels):
    measured = measure_lungs(mask)
    assert (measured.lung_px_right, measured.lung_px_left) == pixels
    assert measured.thoracic_width_px is measured.mediastinal_thoracic_ratio is measured.lung_height_ratio is None


def test_lungs_in_no_common_row():
    measured = measure_lungs(drawn((0, 30, 30, 80), (60, 90, 110, 180)))
    assert measured.thoracic_width_px is None and measured.lung_height_ratio == 1


@pytest.mark.parametrize("shape", [(16, 16), (1, 1), (3, 500)])
def test_small_and_full_pictures(shape):
    mask = np.ones(shape, bool)
    measured = measure_lungs(mask)
    assert measured.lung_px_right + measured.lung_px_left == mask.size
