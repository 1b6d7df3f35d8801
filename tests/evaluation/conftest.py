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


def _seen_ticks(side):
    """The labels of an axis's ticks that lie within its limits: others are laid out and never drawn."""
    low, high = sorted(side.get_view_interval())
    return [tick.label1 for tick in side.get_major_ticks() if tick.label1.get_text() and low <= tick.get_loc() <= high]


@pytest.fixture
def legible():
    """``legible(figure)``: lays a figure out and holds that no word is cut off and that no title or legend lies on another."""

    def check(figure) -> None:
        figure.draw_without_rendering()
        shown = [axis for axis in figure.axes if axis.axison]
        titles = [axis.title for axis in shown if axis.get_title()]
        titles += [figure._suptitle] if figure.get_suptitle() else []
        legends = [legend for axis in figure.axes if (legend := axis.get_legend()) is not None] + figure.legends
        labels = [axis.xaxis.label for axis in shown] + [axis.yaxis.label for axis in shown]
        ticks = [tick for axis in shown for side in (axis.xaxis, axis.yaxis) for tick in _seen_ticks(side)]
        for words in (*titles, *legends, *labels, *ticks):
            box = words.get_window_extent()
            inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1 + 1
            assert inside, (words, box, figure.bbox)
        apart = [*titles, *(legend for legend in legends if legend.get_figure() is figure)]
        boxes = [(words, words.get_window_extent()) for words in apart]
        for place, (words, box) in enumerate(boxes):
            for other, beside in boxes[place + 1 :]:
                assert not box.overlaps(beside), (words, other)

    return check


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
