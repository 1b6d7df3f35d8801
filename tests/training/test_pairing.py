"""Pairs share a label and use every scan; the control breaks the label and nothing else."""

import numpy as np
import pytest

from pipeline.engine.errors import DataError
from pipeline.training.multitask.scan_pairs import draw_pairs, shuffle_pairs

XRAY = np.array([0] * 30 + [1] * 5)
CT = np.array([1] * 12 + [0] * 7)


def test_labels_agree_and_every_scan_is_used():
    pairs = draw_pairs(XRAY, CT, seed=3)
    assert pairs.dtype == np.int64
    assert pairs.shape == (30 + 12, 2)
    assert np.array_equal(XRAY[pairs[:, 0]], CT[pairs[:, 1]])
    assert set(pairs[:, 0]) == set(range(35))
    assert set(pairs[:, 1]) == set(range(19))


def test_the_larger_side_comes_once_and_the_smaller_in_even_turns():
    pairs = draw_pairs(XRAY, CT, seed=3)
    negative = pairs[XRAY[pairs[:, 0]] == 0]
    assert np.all(np.bincount(negative[:, 0])[:30] == 1)
    turns = np.bincount(negative[:, 1], minlength=19)[12:]
    assert turns.max() - turns.min() <= 1


def test_of_three_labels_partners_share_one_and_all_are_there():
    xray, ct = np.arange(30) % 3, np.arange(12) % 3
    pairs = draw_pairs(xray, ct, seed=3)
    assert np.array_equal(xray[pairs[:, 0]], ct[pairs[:, 1]]) and set(xray[pairs[:, 0]]) == {0, 1, 2}
    assert sorted(pairs[:, 0]) == list(range(30))
    with pytest.raises(DataError, match="No CT scan has label 2"):
        draw_pairs(xray, ct[ct != 2], seed=3)


def test_seeded():
    assert np.array_equal(draw_pairs(XRAY, CT, 1), draw_pairs(XRAY, CT, 1))
    assert not np.array_equal(draw_pairs(XRAY, CT, 1), draw_pairs(XRAY, CT, 2))
    pairs = draw_pairs(XRAY, CT, 1)
    assert np.array_equal(shuffle_pairs(pairs, 5), shuffle_pairs(pairs, 5))


def test_control_keeps_xrays_and_ct_counts_and_loses_the_label():
    pairs = draw_pairs(XRAY, CT, 1)
    control = shuffle_pairs(pairs, 5)
    assert np.array_equal(control[:, 0], pairs[:, 0])
    assert np.array_equal(np.sort(control[:, 1]), np.sort(pairs[:, 1]))
    assert np.any(XRAY[control[:, 0]] != CT[control[:, 1]])


def test_a_label_without_partners_is_refused():
    with pytest.raises(DataError, match="No CT scan has label 1"):
        draw_pairs([0, 1], [0, 0], seed=0)
    with pytest.raises(DataError, match="No X-ray scan has label 0"):
        draw_pairs([1, 1], [0, 1], seed=0)
    assert draw_pairs([1, 1], [1], seed=0).shape == (2, 2)
    with pytest.raises(DataError, match="expected .P, 2."):
        shuffle_pairs(np.zeros((0, 2)), seed=0)
