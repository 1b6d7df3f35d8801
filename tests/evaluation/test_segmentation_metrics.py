"""Overlap and outline distances against hand-computed tables and against every pair of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from pipeline.engine.errors import DataError
from pipeline.evaluation.metrics.segmentation import (
    dice,
    intersection_over_union,
    outline,
    pooled_dice,
    segmentation_metrics,
    surface_distances,
)


def rectangle(top, bottom, left, right, shape=(8, 10)):
    mask = np.zeros(shape, bool)
    mask[top:bottom, left:right] = True
    return mask


EMPTY = np.zeros((8, 10), bool)
BLOCK = rectangle(2, 6, 2, 6)


@pytest.mark.parametrize(
    ("true", "predicted", "expected_dice", "expected_iou"),
    [
        (BLOCK, BLOCK, 1.0, 1.0),
        (BLOCK, rectangle(2, 6, 4, 8), 2 * 8 / 32, 8 / 24),
        (BLOCK, rectangle(2, 4, 2, 6), 2 * 8 / 24, 8 / 16),
        (BLOCK, rectangle(2, 6, 6, 10), 0.0, 0.0),
        (EMPTY, EMPTY, 1.0, 1.0),
        (EMPTY, BLOCK, 0.0, 0.0),
        (BLOCK, EMPTY, 0.0, 0.0),
    ],
)
def test_overlap_by_hand(true, predicted, expected_dice, expected_iou):
    assert dice(true, predicted) == pytest.approx(expected_dice)
    assert intersection_over_union(true.astype(np.float32), predicted.astype(np.uint8)) == pytest.approx(expected_iou)


def test_many_masks_at_once_and_pooled():
    small = rectangle(0, 1, 0, 1)
    true, predicted = np.stack([BLOCK, small, EMPTY]), np.stack([BLOCK, EMPTY, EMPTY])
    np.testing.assert_allclose(dice(true, predicted), [1, 0, 1])
    np.testing.assert_allclose(intersection_over_union(true, predicted), [1, 0, 1])
    assert pooled_dice(true, predicted) == pytest.approx(2 * 16 / (17 + 16))


def test_the_outline_counts_the_border_and_not_the_inside():
    np.testing.assert_array_equal(outline(BLOCK), BLOCK & ~rectangle(3, 5, 3, 5))
    np.testing.assert_array_equal(outline(np.ones((3, 3), bool)), [[1, 1, 1], [1, 0, 1], [1, 1, 1]])


@pytest.mark.parametrize(
    ("true", "predicted", "spacing", "hd95", "mean"),
    [
        # Two single pixels, 3 rows and 4 columns apart.
        (rectangle(1, 2, 1, 2), rectangle(4, 5, 5, 6), (1, 1), 5.0, 5.0),
        (rectangle(1, 2, 1, 2), rectangle(4, 5, 5, 6), (2, 0.5), np.hypot(6, 2), np.hypot(6, 2)),
        # A line of three against its middle pixel: 1, 0, 1 there and 0 back; percentile 95 of {0, 1, 1} is 1.
        (rectangle(2, 3, 2, 5), rectangle(2, 3, 3, 4), (1, 1), 1.0, 2 / 4),
        # Two lines of five, two rows apart.
        (rectangle(2, 3, 2, 7), rectangle(4, 5, 2, 7), (1, 1), 2.0, 2.0),
        (rectangle(2, 3, 2, 7), rectangle(4, 5, 2, 7), (0.25, 9), 0.5, 0.5),
        (EMPTY, EMPTY, (1, 1), 0.0, 0.0),
        # One of them empty: the diagonal between the corner pixels' centres, 7 rows and 9 columns.
        (EMPTY, BLOCK, (1, 1), np.hypot(7, 9), np.hypot(7, 9)),
        (BLOCK, EMPTY, (2, 0.5), np.hypot(14, 4.5), np.hypot(14, 4.5)),
    ],
)
def test_distances_by_hand(true, predicted, spacing, hd95, mean):
    metrics = segmentation_metrics(true, predicted, spacing)
    assert metrics["hd95"] == pytest.approx(hd95)
    assert metrics["mean_surface_distance"] == pytest.approx(mean)


def outline_one_pixel_at_a_time(mask):
    """Coordinates ``(n, 2)`` of the mask's pixels that have a neighbour by a side outside it."""
    padded, found = np.pad(mask, 1), []
    for row, column in np.argwhere(mask):
        sides = [(row, column + 1), (row + 2, column + 1), (row + 1, column), (row + 1, column + 2)]
        if not all(padded[side] for side in sides):
            found.append((row, column))
    return np.array(found)


@pytest.mark.parametrize("seed", range(12))
def test_distances_equal_every_pair_of_outline_pixels(seed):
    draw = np.random.default_rng(seed)
    spacing = tuple(draw.uniform(0.3, 2, 2))
    blobs = [np.abs(draw.normal(size=(3, 4))).repeat(4, 0).repeat(4, 1) + 0.4 * draw.normal(size=(12, 16)) for _ in range(2)]
    true, predicted = (blob > 0.7 for blob in blobs)
    distances = cdist(*(outline_one_pixel_at_a_time(mask) * spacing for mask in (true, predicted)))
    nearest = [distances.min(axis=1), distances.min(axis=0)]
    for found, expected in zip(surface_distances(true, predicted, spacing), nearest, strict=True):
        np.testing.assert_allclose(found, expected)
    metrics = segmentation_metrics(true, predicted, spacing)
    assert metrics["hd95"] == pytest.approx(max(np.percentile(one_way, 95) for one_way in nearest))
    assert metrics["mean_surface_distance"] == pytest.approx(np.concatenate(nearest).mean())
    assert segmentation_metrics(predicted, true, spacing) == pytest.approx(metrics)


def test_hd95_leaves_out_a_lone_far_pixel():
    stray = BLOCK.copy()
    stray[0, 9] = True
    assert segmentation_metrics(BLOCK, stray)["hd95"] < surface_distances(BLOCK, stray)[1].max() == pytest.approx(np.hypot(2, 4))


@pytest.mark.parametrize(
    ("true", "predicted", "spacing", "message"),
    [
        (BLOCK, np.zeros((4, 4), bool), (1, 1), r"\(8, 10\) and \(4, 4\)"),
        (BLOCK * 255, BLOCK, (1, 1), "the true mask has values other than 0 and 1"),
        (BLOCK, BLOCK * 0.5, (1, 1), "the predicted mask"),
        (BLOCK, np.where(BLOCK, np.nan, 0), (1, 1), "the predicted mask"),
        (BLOCK[None], BLOCK[None], (1, 1), r"masks \(H, W\)"),
        (EMPTY, BLOCK, (1, 0), "pixel spacing"),
        (BLOCK, BLOCK, (1, np.inf), "pixel spacing"),
        (np.zeros((0, 4)), np.zeros((0, 4)), (1, 1), "cannot be compared"),
    ],
)
def test_masks_that_cannot_be_measured(true, predicted, spacing, message):
    with pytest.raises(DataError, match=message):
        segmentation_metrics(true, predicted, spacing)


def test_an_empty_mask_has_no_outline():
    with pytest.raises(DataError, match="no outline"):
        surface_distances(BLOCK, EMPTY)
