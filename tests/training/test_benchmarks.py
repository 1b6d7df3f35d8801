"""Benchmarks: what a ratio means, that turns alternate, and the row's form."""

from __future__ import annotations

import pytest

from pipeline.training.benchmarks.fits import bench_embed, in_turns, measured


def test_a_ratio_below_one_is_slower_than_the_reference():
    row = measured("x", "y", ours=[2.0, 4.0, 2.0], bare=[1.0, 1.0, 1.0], n=7)
    assert row == {"name": "x", "reference": "y", "ratio": 0.5, "median_ms": 2000, "reference_ms": 1000, "n": 7}


def test_both_take_turns_after_one_unmeasured_turn():
    order = []
    ours, bare = in_turns(lambda: order.append("ours"), lambda: order.append("bare"), repeats=2)
    assert order == ["ours", "bare"] * 3 and len(ours) == len(bare) == 2


def test_embed_measures_s02s_own_loop():
    row = bench_embed(images=40, size=32, repeats=1)
    assert {"name", "reference", "ratio", "median_ms", "n"} <= set(row)
    assert row["n"] == 40 and row["ratio"] > 0 and row["median_ms"] > 0
    assert row["ratio"] == pytest.approx(row["reference_ms"] / row["median_ms"])
