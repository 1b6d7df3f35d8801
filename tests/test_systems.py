"""Systems are declared once: found by name, and told by what a run has made."""

from __future__ import annotations

import json
import sys
import types
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from pipeline import systems
from pipeline.engine.errors import MissingArtifactError, UsageError
from pipeline.engine.manifest import Manifest, Output
from pipeline.engine.rundir import RunDirectory


def run_with(folder: Path, made: dict[str, list[str]], declared: dict[str, list[str]] | None = None) -> RunDirectory:
    """A run folder whose stages have made (and declare) artifacts of these names."""
    folder.mkdir()
    stages = [{"name": stage, "artifacts": names} for stage, names in (declared or made).items()]
    record = {"schema_version": 1, "config": {"system": "free text"}, "stages": stages, "command": "run", "data": None}
    (folder / "run.json").write_text(json.dumps(record))
    for stage, names in made.items():
        outputs = {name: Output(f"{name}.json", "0" * 64, 1, {}) for name in names}
        (folder / stage).mkdir()
        manifest = Manifest(stage, {}, 0, "", {}, {}, "", 0, outputs, 0.0)
        (folder / stage / "manifest.json").write_text(json.dumps(asdict(manifest)))
    return RunDirectory(folder)


def test_names_places_and_marks_are_unique():
    for column in ("name", "told_by", "exporter", "opener", "arms"):
        values = [getattr(system, column) for system in systems.SYSTEMS]
        assert len(set(values)) == len(values), column
    assert all("{}" in system.example and system.example.startswith(f"{system.command} ") for system in systems.SYSTEMS)


def test_an_example_names_only_what_is_read():
    def asked(*read):
        return [system.asking("--run", Path("my run"), read.__contains__) for system in systems.SYSTEMS[:2]]

    assert asked("ct") == ["predict --run 'my run' --ct FILE", "segment --run 'my run' FILE --out DIR"]
    assert asked("xray")[0] == "predict --run 'my run' --xray FILE"
    assert asked("xray", "ct")[0] == asked()[0] == "predict --run 'my run' --xray FILE --ct FILE"


def test_a_part_is_imported_by_its_dotted_place(monkeypatch):
    module = types.ModuleType("invented_system")
    module.opener = lambda path, device: (path, device)
    monkeypatch.setitem(sys.modules, "invented_system", module)
    row = replace(systems.SYSTEMS[0], opener="invented_system:opener")
    assert row.load("opener")("here", "cpu") == ("here", "cpu")


def test_a_misspelt_name_is_told_the_right_one():
    assert systems.system_named("classifier").command == "classify"
    with pytest.raises(UsageError, match=r"'clasifier'.*Did you mean 'classifier'.*respiratory_mtl, radiography_unet"):
        systems.system_named("clasifier")


def test_a_run_is_told_by_its_artifacts_not_by_its_name(tmp_path):
    run = run_with(tmp_path / "run", {"s07_segmenter": ["unet_weights"]})
    assert [system.command for system in systems.systems_of_run(run)] == ["segment"]
    assert systems.system_of_run(run, None).name == "radiography_unet"


def test_a_run_of_two_systems_wants_one_named(tmp_path):
    run = run_with(tmp_path / "run", {"s07_segmenter": ["unet_weights"], "s08_classifier": ["classifier_weights"]})
    with pytest.raises(UsageError, match=r"holds radiography_unet and classifier\..*--system radiography_unet"):
        systems.system_of_run(run, None)
    assert systems.system_of_run(run, "classifier").name == "classifier"
    assert systems.system_of_run(run, None, command="segment").name == "radiography_unet"
    with pytest.raises(UsageError, match=r"predict does not read.*Use segment --run"):
        systems.system_of_run(run, None, command="predict")
    with pytest.raises(MissingArtifactError, match=r"no finished vision_text; it has radiography_unet, classifier"):
        systems.system_of_run(run, "vision_text")


def test_an_unfinished_run_names_the_command_that_finishes_it(tmp_path):
    made = {"s01_preprocessing": ["scan_index"]}
    run = run_with(tmp_path / "run", made, made | {"s05_x": ["heads"]})
    with pytest.raises(MissingArtifactError, match=r"s05_x has not made it.*run --only s05"):
        systems.system_of_run(run, None)


def test_a_fifth_row_is_known_everywhere(tmp_path, monkeypatch):
    fifth = replace(systems.SYSTEMS[2], name="fifth", told_by="fifth_weights")
    monkeypatch.setattr(systems, "SYSTEMS", (*systems.SYSTEMS, fifth))
    assert systems.system_named("fifth") is fifth
    assert systems.system_of_run(run_with(tmp_path / "run", {"s08_x": ["fifth_weights"]}), None) is fifth
