"""Edited code makes a stage stale; `accept` keeps its artifacts."""

from __future__ import annotations

import importlib
import itertools
import sys
from pathlib import Path

import pytest

from pipeline.engine.acceptance import accept_code
from pipeline.engine.errors import MissingArtifactError, StaleArtifactError, UsageError
from pipeline.engine.manifest import read_manifest
from pipeline.engine.survey import plan_run, survey_run

COUNT = itertools.count()
SOURCE = (Path(__file__).parent / "toy_stages.py").read_text()


class Editable:
    """A copy of the toy stages whose source may be edited."""

    def __init__(self, folder, toy):
        self.source = folder / f"editable{next(COUNT)}.py"
        self.toy = toy
        self.edit(SOURCE)

    def edit(self, text):
        self.source.write_text(text)
        importlib.invalidate_caches()
        sys.modules.pop(self.source.stem, None)
        # A stale .pyc of the same second and size would hide the edit from the import itself.
        sys.dont_write_bytecode = True
        self.toy.stages = importlib.import_module(self.source.stem).STAGES


@pytest.fixture
def editable(tmp_path, toy, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return Editable(tmp_path, toy)


def test_comment_costs_nothing_and_code_runs_again(toy, editable):
    toy.run()
    editable.edit(
        SOURCE.replace('"""Multiply epoch by epoch', '# a comment\n    """Multiply step by step', 1)
    )
    assert set(toy.run().values()) == {"skipped"}
    editable.edit(SOURCE.replace("% len(values)] +=", "% len(values)] -="))
    with pytest.raises(StaleArtifactError, match=rf"s01_scans is stale: code: {editable.source.stem}\."):
        toy.run(only="s02")
    assert set(toy.run().values()) == {"ran"}


def test_accepted_edit_is_skipped_and_its_reason_kept(toy, editable):
    toy.run()
    before = toy.contents((".npy", ".txt"))
    editable.edit(SOURCE + "\nUNUSED = 1\n")
    names = ["s01", "s02", "s03_score"]
    assert accept_code(toy.config(), toy.stages, toy.folder, names, "an unused name") == [
        "s01_scans",
        "s02_scale",
        "s03_score",
    ]
    assert set(toy.run().values()) == {"skipped"}
    assert toy.contents((".npy", ".txt")) == before
    entry = read_manifest(toy.folder / "s02_scale").accepted[0]
    assert entry["reason"] == "an unused name" and entry["from"] != entry["to"]


def test_accepting_the_code_does_not_accept_a_configuration(toy, editable):
    toy.run()
    editable.edit(SOURCE + "\nUNUSED = 1\n")
    config = toy.config(s02={"factor": 3.0})
    accept_code(config, toy.stages, toy.folder, ["s01", "s02", "s03"], "an unused name")
    assert toy.run(config) == {"s01": "skipped", "s02": "ran", "s03": "ran"}


@pytest.mark.parametrize("reason", ["", "  "])
def test_reason_is_needed(toy, reason):
    toy.run()
    with pytest.raises(UsageError, match="reason"):
        accept_code(toy.config(), toy.stages, toy.folder, ["s01"], reason)


def test_nothing_to_accept(toy):
    with pytest.raises(MissingArtifactError, match="s01_scans"):
        toy.folder.mkdir()
        accept_code(toy.config(), toy.stages, toy.folder, ["s01"], "why")
    toy.run()
    with pytest.raises(UsageError, match="nothing to accept"):
        accept_code(toy.config(), toy.stages, toy.folder, ["s01"], "why")


def test_survey_tells_each_state_and_what_rests_on_it(toy):
    assert states(toy) == ["absent", "absent", "absent"]
    toy.run()
    assert states(toy) == ["fresh", "fresh", "fresh"]
    assert states(toy, toy.config(s01={"rows": 7})) == ["stale", "stale", "stale"]
    assert states(toy, toy.config(s02={"epochs": 4})) == ["fresh", "stale", "stale"]
    (toy.folder / "s02_scale/log.json").write_text("{}")
    assert states(toy) == ["fresh", "edited", "stale"]
    (toy.folder / "s02_scale/log.json").unlink()
    assert states(toy) == ["fresh", "missing", "stale"]
    (toy.folder / "s01_scans/manifest.json").write_text("[]")
    assert states(toy)[0] == "unreadable"


def states(toy, config=None):
    return [survey.state for survey in survey_run(config or toy.config(), toy.stages, toy.folder)]


def test_plan_tells_what_would_happen_and_does_nothing(toy):
    assert [step.action for step in plan_run(toy.config(), toy.stages, toy.folder)] == ["run"] * 3
    assert not toy.folder.exists()
    toy.run()
    steps = plan_run(toy.config(s02={"epochs": 4}), toy.stages, toy.folder)
    assert [step.action for step in steps] == ["skip", "run", "run"]
    assert "epochs 3 → 4" in steps[1].reason and "'scaled'" in steps[2].reason
    refused = plan_run(toy.config(s01={"rows": 7}), toy.stages, toy.folder, only="s03")
    assert refused[0].action == "refuse" and refused[0].error.exit_code == 3


def test_accepting_a_renamed_artifact_gives_it_its_new_name_everywhere(toy, editable):
    toy.run()
    before = toy.contents((".npy", ".txt"))
    editable.edit(SOURCE.replace('"scaled"', '"scaled_values"'))
    assert '"scaled_values"' in editable.source.read_text()
    survey = {entry.stage: entry.reason for entry in survey_run(toy.config(), toy.stages, toy.folder)}
    assert "scaled → scaled_values" in survey["s02_scale"]
    accept_code(toy.config(), toy.stages, toy.folder, ["s01", "s02", "s03"], "a clearer name")
    assert set(toy.run().values()) == {"skipped"}
    assert toy.contents((".npy", ".txt")) == before
    assert "scaled_values" in read_manifest(toy.folder / "s02_scale").outputs
    assert "scaled_values" in read_manifest(toy.folder / "s03_score").inputs


def test_modules_under_new_names_are_told_apart_from_edits(toy, editable):
    toy.run()
    manifest = read_manifest(toy.folder / "s01_scans")
    (toy_name,) = [name for name in manifest.modules if name.startswith("editable")]
    modules = {name.replace(toy_name, "former.place"): digest for name, digest in manifest.modules.items()}
    manifest.accepting("0" * 64, modules, {"reason": "as if made before a move"}).write(toy.folder / "s01_scans")
    reason = next(entry.reason for entry in survey_run(toy.config(), toy.stages, toy.folder) if entry.stage == "s01_scans")
    assert "1 modules were moved, renamed or taken out (former.place), 0 edited" in reason and "`accept`" in reason
