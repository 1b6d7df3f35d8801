from __future__ import annotations

import io

import pytest
from rich.console import Console

from pipeline.engine import progress
from pipeline.engine.progress import Reporter


def reporter(terminal: bool, quiet: bool = False):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=80, soft_wrap=True)
    return Reporter(quiet, console), console.file


@pytest.mark.parametrize(("terminal", "quiet"), [(True, False), (False, False), (True, True)])
def test_every_item_passes_once_in_nested_loops(terminal, quiet):
    told, _ = reporter(terminal, quiet)
    pairs = [(a, b) for a in told.track(range(3), label="outer") for b in told.track("xy", label="inner")]
    assert pairs == [(a, b) for a in range(3) for b in "xy"]


def test_plain_lines_are_rare(monkeypatch):
    clock = iter(range(0, 1000, 4))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    told, out = reporter(terminal=False)
    list(told.track(range(9), label="scans"))
    # Nine items of four seconds: a line each ten seconds at most.
    assert out.getvalue().splitlines() == [
        "  scans: 3 of 9 (33 %), about 24 s left",
        "  scans: 6 of 9 (67 %), about 12 s left",
        "  scans: 9 of 9 in 36 s",
    ]


def test_quiet_is_silent():
    told, out = reporter(terminal=True, quiet=True)
    list(told.track(range(3)))
    told.line("words")
    assert out.getvalue() == ""


def test_an_abandoned_loop_closes_its_bar():
    told, _ = reporter(terminal=True)
    for _ in told.track(range(3), label="left early"):
        break
    assert list(told.track(range(2), label="next")) == [0, 1]
