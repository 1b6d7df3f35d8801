"""Runs that come while a graph computes are computed together, each with its own answer or its own fault; the same numbers."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock

import numpy as np
import pytest

from pipeline.engine.errors import CorruptArtifactError
from pipeline.inference.coalescing import Coalescer
from tests.waiting import HANGS_S, wait_until

ROOT = Path(__file__).resolve().parents[2]


class Held:
    """Doubles what it is fed; the first run waits until it is let go. It cannot compute negative numbers; infinity is a bug."""

    def __init__(self) -> None:
        self.begun, self.go, self.sizes, self._lock = Event(), Event(), [], Lock()

    def __call__(self, feeds, outputs):
        with self._lock:
            first = not self.sizes
            self.sizes.append(len(feeds["x"]))
        if first:
            self.begun.set()
            assert self.go.wait(HANGS_S)
        if (feeds["x"] < 0).any():
            raise CorruptArtifactError("negative", "")
        if np.isinf(feeds["x"]).any():
            raise ZeroDivisionError
        return [2 * feeds["x"]]


def run_beside(values, most: int, shapes=None):
    """One run that is held, and the others asked for meanwhile. Returns the graph and the answers or faults."""
    graph = Held()
    together = Coalescer(graph, most)
    with ThreadPoolExecutor(len(values)) as threads:
        asked = []
        for place, value in enumerate(values):
            feed = np.full((1, *(shapes[place] if shapes else (3,))), value, np.float32)
            asked.append(threads.submit(together.run, {"x": feed}, ("y",)))
            assert graph.begun.wait(HANGS_S)
        wait_until(lambda: len(together._waiting) == len(values) - 1, lambda: True, "the others")
        graph.go.set()
        return graph, [future.exception() or future.result() for future in asked]


def test_those_that_wait_are_computed_together():
    graph, answers = run_beside([1, 2, 3, 4], most=8)
    assert graph.sizes == [1, 3]
    assert [answer[0].tolist() for answer in answers] == [[[2.0 * value] * 3] for value in (1, 2, 3, 4)]


def test_no_more_than_so_many_at_once():
    graph, answers = run_beside([1, 2, 3, 4, 5, 6], most=2)
    assert graph.sizes == [1, 2, 2, 1] and [answer[0][0, 0] for answer in answers] == [2, 4, 6, 8, 10, 12]


def test_other_shapes_are_computed_apart():
    graph, answers = run_beside([1, 2, 3, 4], most=8, shapes=[(3,), (3,), (5,), (3,)])
    assert sorted(graph.sizes) == [1, 1, 2] and [answer[0].shape[1] for answer in answers] == [3, 3, 5, 3]


def test_one_that_fails_costs_no_other():
    _, answers = run_beside([1, 2, -3, 4], most=8)
    assert isinstance(answers[2], CorruptArtifactError) and [answers[place][0][0, 0] for place in (0, 1, 3)] == [2, 4, 8]


def test_a_bug_in_a_batch_is_heard_by_everybody_in_it():
    graph, answers = run_beside([1, 2, np.inf, 4], most=8)
    assert answers[0][0][0, 0] == 2 and [type(answer) for answer in answers[1:]] == [ZeroDivisionError] * 3
    assert graph.sizes == [1, 3]


@pytest.mark.parametrize("bundle", ["pneumonia_binary", "radiography_unet"])
def test_answers_of_a_shipped_bundle_stay_the_same(bundle):
    """Eight threads beside each other, of which the graphs make batches, against one after another."""
    code = f"""
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from pipeline.inference import sessions
from pipeline import open_bundle
scans = sorted(Path("tests/pretrained/respiratory_mtl_scans").glob("*_xray.png"))
alone = [open_bundle("{bundle}", gate=False).answer(scan) for scan in scans]
sessions.compute_with(1, at_once=4)
opened = open_bundle("{bundle}", gate=False)
with ThreadPoolExecutor(8) as threads:
    beside = list(threads.map(opened.answer, scans))
worst = max(abs(a.probabilities[n] - b.probabilities[n]) for a, b in zip(alone, beside) for n in a.probabilities)
print(worst)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert float(done.stdout) <= 1e-6
