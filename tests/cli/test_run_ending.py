"""What a `run` ends with: no silence, and no path or command that does not work."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import pipeline.systems as systems
from pipeline.cli.run.ending import ending_words

ENGINE_TESTS = Path(__file__).parents[1] / "engine"
CONFIG = "system: toy\nseed: 5\ns01: {}\ns02: {}\ns03: {}\n"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """``run(*words)`` → (stdout, stderr) of `run` on the toy pipeline, in a folder with a blank in its name."""
    monkeypatch.syspath_prepend(ENGINE_TESTS)
    from toy_stages import STAGES

    from pipeline.cli.app import main

    folder = tmp_path / "my scans"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    Path("toy.yaml").write_text(CONFIG)

    def run(*words):
        assert main(STAGES, ["run", *words]) == 0
        return capsys.readouterr()

    return run


def commands_of(words: str) -> list[list[str]]:
    """The command lines below `Next:`, word by word."""
    return [shlex.split(line) for line in words[words.index("Next:") :].splitlines()[1:]]


def test_a_run_that_is_not_whole_says_how_it_goes_on(run):
    out, _ = run("-c", "toy.yaml", "--to", "s01", "--out", "runs/my first", "--set", "s02.epochs=2")
    assert "1 run in" in out and "Not up to date yet: s02_scale, s03_score" in out
    (command,) = commands_of(out)
    assert command == shlex.split("python run_pipeline.py run -c toy.yaml --out 'runs/my first' --set s02.epochs=2")
    out, _ = run(*command[3:])
    assert "2 run in" in out and "1 unchanged" in out and "Not up to date" not in out


def test_a_stage_that_was_made_alone_leaves_the_later_ones_behind(run):
    run("-c", "toy.yaml")
    out, _ = run("-c", "toy.yaml", "--set", "s01.rows=9", "--only", "s01")
    assert "Not up to date yet: s02_scale, s03_score" in out


def test_a_finished_system_is_compared_exported_and_asked(run, monkeypatch):
    told = [replace(systems.SYSTEMS[0], told_by="score"), replace(systems.SYSTEMS[2], told_by="pieces")]
    monkeypatch.setattr(systems, "SYSTEMS", tuple(told[:1]))
    out, _ = run("-c", "toy.yaml", "--out", "my first")
    program = ["python", "run_pipeline.py"]
    assert commands_of(out) == [
        [*program, "compare", "--run", "my first", "--out", "DIR"],
        [*program, "export", "--run", "my first", "--out", "DIR"],
        [*program, "predict", "--run", "my first", "--xray", "FILE", "--ct", "FILE"],
    ]
    monkeypatch.setattr(systems, "SYSTEMS", tuple(told))
    out, _ = run("-c", "toy.yaml", "--out", "my first", "--quiet")
    exports = [words for words in commands_of(out) if "export" in words]
    assert [words[-2:] for words in exports] == [["--system", "respiratory_mtl"], ["--system", "classifier"]]


def test_a_run_that_holds_no_system_points_to_its_state(run):
    out, _ = run("-c", "toy.yaml")
    assert commands_of(out) == [["python", "run_pipeline.py", "status", "--out", "runs/toy"]]


def test_json_says_the_same(run):
    out, err = run("-c", "toy.yaml", "--json")
    document = json.loads(out)
    assert [(stage["stage"], stage["action"]) for stage in document["stages"]] == [
        ("s01_scans", "ran"), ("s02_scale", "ran"), ("s03_score", "ran"),
    ]  # fmt: skip
    assert document["behind"] == [] and document["reports"] == [] and document["figures"] == {}
    assert document["next"] == ["python run_pipeline.py status --out runs/toy"]
    assert "s03_score: done" in err


def test_reports_and_figures_stand_on_lines_of_their_own():
    document = {"run": "r", "stages": [{"stage": "s06", "action": "ran", "duration_s": 3.04}], "behind": [],
                "reports": ["r/s06/report.md"], "figures": {"r/s01": 1, "r/s06": 5}, "next": ["a b"]}  # fmt: skip
    assert ending_words(document).splitlines() == [
        "r: 1 run in 3.0 s, 0 unchanged", "Report: r/s06/report.md", "Figures: r/s01 (1 picture)",
        "Figures: r/s06 (5 pictures)", "Next:", "  a b",
    ]  # fmt: skip
