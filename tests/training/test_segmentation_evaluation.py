"""Overlap tables and their means, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluation.statistics.intervals import patient_mean_interval
from pipeline.training.segmenter.evaluation import ScanAnswers, overlap_summary, overlap_table
from pipeline.training.segmenter.rows import SegmentationRows


@pytest.fixture
def judged():
    """Four scans of 8 × 8, the last without a mask: Dice 1, 2/3 and 0."""
    masks, lungs = np.zeros((4, 8, 8), np.uint8), np.zeros((4, 8, 8), bool)
    masks[:3, 2:4, 2:4] = 1
    lungs[0, 2:4, 2:4] = True
    lungs[1, 2:4, 2:3] = True
    lungs[3, :, :] = True
    logits = np.array([[2.0, 0.0], [0.0, 2.0], [0.0, 2.0], [2.0, 0.0]])
    scans = SegmentationRows(np.zeros_like(masks), masks, np.arange(4), np.array([0, 1, 1, 0]),
                             np.array([True, True, True, False]), np.arange(0), np.arange(4), 2)  # fmt: skip
    return ScanAnswers(np.arange(4), lungs, logits, np.zeros(4)), scans


def test_each_scan_with_a_mask_has_its_overlap(judged):
    table = overlap_table(*judged)
    np.testing.assert_allclose(table["dice"][:3], [1, 2 / 3, 0])
    np.testing.assert_allclose(table["iou"][:3], [1, 1 / 2, 0])
    assert all(np.isnan(values[3]) for values in table.values())
    assert table["hd95"][0] == 0 and table["hd95"][2] == pytest.approx(np.hypot(7, 7))


def test_means_by_class_and_pooled(judged):
    answers, scans = judged
    patients = np.array(["a", "b", "c", "d"])
    summary = overlap_summary(overlap_table(answers, scans), answers, scans, ["X", "Y"], patients, 0)
    assert summary["masked_scans"] == 3
    assert summary["dice"]["value"] == pytest.approx((1 + 2 / 3) / 3)
    assert summary["per_class"]["X"]["dice"]["value"] == 1 and summary["per_class"]["X"]["scans"] == 1
    assert (summary["worst_class"], summary["worst_class_dice"]) == ("Y", pytest.approx(1 / 3))
    assert summary["pooled_dice"] == pytest.approx(2 * 6 / (12 + 6))


def test_no_masks_at_all(judged):
    from dataclasses import replace

    answers, scans = judged
    scans = replace(scans, has_mask=np.zeros(4, bool))
    table = overlap_table(answers, scans)
    assert overlap_summary(table, answers, scans, ["X", "Y"], np.array(list("abcd")), 0) == {"masked_scans": 0}


def test_intervals_draw_whole_patients():
    values = np.r_[np.zeros(50), np.ones(50)]
    apart = patient_mean_interval(values, np.arange(100).astype(str), 0)
    two = patient_mean_interval(values, np.repeat(["a", "b"], 50), 0)
    assert apart["value"] == two["value"] == 0.5
    assert 0.35 < apart["low"] < 0.45 < 0.55 < apart["high"] < 0.65
    assert (two["low"], two["high"]) == (0.0, 1.0)


def test_probabilities_are_the_softmax_of_the_logits(judged):
    np.testing.assert_allclose(judged[0].probabilities[0], np.exp([2, 0]) / (np.exp(2) + 1))
