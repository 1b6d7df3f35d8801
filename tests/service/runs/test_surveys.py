"""How often a run is looked at, how long a page waits for it, and what is said where it cannot be."""

from __future__ import annotations

import threading

import pytest
from browsed_stages import STAGES

from pipeline.engine.errors import DataError
from pipeline.service.runs import surveys
from pipeline.service.runs.served_run import ServedRun
from pipeline.service.runs.surveys import Surveys


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """The seconds that `monotonic` tells."""
    now = [100.0]
    monkeypatch.setattr(surveys, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def served(kept_run) -> ServedRun:
    return ServedRun("kept", kept_run, kept_run.resolve())


def test_a_look_is_kept_longer_the_longer_it_took(served, clock, monkeypatch):
    looks = []

    def survey(*_, **__):
        looks.append(clock[0])
        clock[0] += 3
        return []

    monkeypatch.setattr(surveys, "survey_run", survey)
    asked = Surveys(STAGES)
    for later in (0, 1, 28, 29.5, 2):
        clock[0] += later
        assert asked.of(served).is_finished
    assert len(looks) == 2 and looks[1] - looks[0] > 3 + surveys.KEPT_LOOKS * 3


def test_a_page_does_not_wait_for_a_look_that_takes_long_and_begins_no_second(served, monkeypatch):
    begun, go_on = [], threading.Event()

    def survey(*_, **__):
        begun.append(1)
        go_on.wait(60)
        return []

    monkeypatch.setattr(surveys, "survey_run", survey)
    asked = Surveys(STAGES)
    assert [asked.of(served, 0.01).is_finished for _ in range(5)] == [False] * 5
    go_on.set()
    assert asked.of(served, 60).is_finished and begun == [1]


@pytest.mark.parametrize(
    ("raised", "said"), [(DataError("No such scans.", "Give --data."), "No such scans. Give --data."), (OSError("x"), "(OSError)"),
                         (ModuleNotFoundError("x", name="pandas"), "pip install '.[evaluate]'"), (ZeroDivisionError(), "the log says")],
)  # fmt: skip
def test_why_a_run_cannot_be_compared_is_said(served, monkeypatch, raised, said):
    def survey(*_, **__):
        raise raised

    monkeypatch.setattr(surveys, "survey_run", survey)
    told = Surveys(STAGES).of(served)
    assert said in told.problem and told.stages == {} and told.is_finished


def test_two_runs_are_looked_at_one_after_the_other(served, monkeypatch):
    at_once, most = [], []

    def survey(config, stages, run_dir, **_):
        at_once.append(run_dir)
        most.append(len(at_once))
        threading.Event().wait(0.02)
        at_once.pop()
        return []

    monkeypatch.setattr(surveys, "survey_run", survey)
    asked = Surveys(STAGES)
    runs = [ServedRun(f"run{number}", served.path, served.root) for number in range(4)]
    waiting = [threading.Thread(target=asked.of, args=(run, 60)) for run in runs]
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join(60)
    assert most == [1, 1, 1, 1]
