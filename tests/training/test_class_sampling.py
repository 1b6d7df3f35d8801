"""Which scans an epoch sees and what a class weighs."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.training.class_sampling import class_weights, epoch_rows

CLASSES = np.repeat([0, 1, 2], [60, 30, 12])
TRAIN = np.flatnonzero(np.arange(102) % 6 != 0)


def test_shuffled_rows_are_each_seen_once():
    rows = epoch_rows(CLASSES, TRAIN, "shuffled", np.random.default_rng(1))
    np.testing.assert_array_equal(np.sort(rows), TRAIN)
    assert (rows != TRAIN).any()


def test_balanced_rows_show_every_class_alike_and_only_training_rows():
    counts = []
    for seed in range(40):
        rows = epoch_rows(CLASSES, TRAIN, "balanced", np.random.default_rng(seed))
        assert len(rows) == len(TRAIN) and set(rows) <= set(TRAIN)
        counts.append(np.bincount(CLASSES[rows], minlength=3))
        small = np.bincount(rows, minlength=102)[TRAIN[CLASSES[TRAIN] == 2]]
        assert small.min() >= small.max() - 1 >= 1
        assert np.bincount(rows, minlength=102)[TRAIN[CLASSES[TRAIN] == 0]].max() == 1
    np.testing.assert_array_less(np.ptp(counts, axis=1), 2)
    # 85 rows: two of three classes get one more, and not always the same two.
    assert all(np.ptp(np.array(counts)[:, k]) == 1 for k in range(3))


def test_the_order_is_the_draws():
    first, again = (epoch_rows(CLASSES, TRAIN, "balanced", np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(("rule", "expected"), [("none", None), ("balanced", [102 / 180, 102 / 90, 102 / 36])])
def test_class_weights(rule, expected):
    weights = class_weights(CLASSES, 3, rule)
    assert weights == (expected if expected is None else pytest.approx(expected))
    if weights:
        totals = [weights[k] * np.sum(k == CLASSES) for k in range(3)]
        assert totals == pytest.approx([34] * 3)
