"""Predictions of two arms on three modalities, small enough for every test."""

import sys

import numpy as np
import pytest

from pipeline.evaluation.tables.rows import Rows


def make_table(generator, patients, slices, strength, seeds=3, base=None, pairs=False):
    """A table whose rows differ by patient; `base` repeats another table's rows for a second arm."""
    if base is None:
        labels = np.repeat(np.arange(patients) % 2, slices)
        names = np.array([f"p{number // slices}" for number in range(patients * slices)])
        if pairs:
            names = np.stack([np.array([f"x{row}" for row in range(names.size)]), names], axis=1)
        ids = np.array([f"scan{row}" for row in range(labels.size)])
    else:
        ids, names, labels = base.ids, base.patients, base.truth
    logits = strength * (labels - 0.5) + generator.normal(size=labels.size)
    logits = logits + 0.3 * generator.normal(size=(seeds, labels.size))
    return Rows.binary(labels, 1 / (1 + np.exp(-logits)), names, ids)


@pytest.fixture
def predictions():
    """arm -> modality -> Rows; "adversarial" is much better on CT and alike elsewhere."""
    generator = np.random.default_rng(0)
    plain = {
        "xray": make_table(generator, 40, 2, 4.0),
        "ct": make_table(generator, 40, 2, 0.5),
        "paired": make_table(generator, 40, 2, 4.0, pairs=True),
    }
    strengths = {"xray": 4.0, "ct": 7.0, "paired": 4.0}
    adversarial = {
        name: make_table(generator, 0, 0, strengths[name], seeds=2, base=table)
        for name, table in plain.items()
    }
    return {"plain": plain, "adversarial": adversarial}


@pytest.fixture
def python_calls():
    """``python_calls(work)``: how many calls Python makes for it, C functions included; the same on every machine."""

    def counted(work) -> int:
        calls = 0

        def profile(frame, event, argument):
            nonlocal calls
            calls += event in ("call", "c_call")

        before = sys.getprofile()
        sys.setprofile(profile)
        try:
            work()
        finally:
            sys.setprofile(before)
        return calls

    return counted
