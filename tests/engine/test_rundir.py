from __future__ import annotations

import json

import numpy as np
import pytest

from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError
from pipeline.engine.record import recorded_config
from pipeline.engine.rundir import RunDirectory
from pipeline.engine.verification import verification_error, verify_run


def test_artifacts_by_name(toy):
    toy.run()
    run = RunDirectory(toy.folder)
    assert run.has("scaled") and not run.has("lung_masks")
    assert run.artifact("scaled") == toy.folder / "s02_scale/scaled.npy"
    np.testing.assert_allclose(run.load("scaled"), run.load("scans") * 8, rtol=1e-6)
    assert run.load_json("scale_log") == {"epochs": 3, "loss": None}
    assert sorted(path.name for path in run.artifact("pieces").iterdir()) == ["a.txt", "b.txt"]
    assert run.config["s02"]["epochs"] == 3 and run.config["seed"] == 5


def test_artifact_that_was_not_made_names_its_command(toy):
    toy.run(last="s01")
    with pytest.raises(MissingArtifactError, match=r"s02_scale has not made it.*run .*--only s02"):
        RunDirectory(toy.folder).load("scaled")


def test_unknown_artifact(toy):
    toy.run()
    with pytest.raises(MissingArtifactError, match="Did you mean 'scaled'"):
        RunDirectory(toy.folder).artifact("scaledd")


def test_damaged_artifacts(toy):
    toy.run()
    run = RunDirectory(toy.folder)
    (toy.folder / "s03_score/score.npy").unlink()
    with pytest.raises(MissingArtifactError, match=r"score\.npy is missing.*--only s03 --force"):
        run.artifact("score")
    (toy.folder / "s02_scale/log.json").write_text("{")
    with pytest.raises(CorruptArtifactError, match=r"log\.json"):
        run.load_json("scale_log")


def test_folder_that_is_no_run(tmp_path):
    with pytest.raises(MissingArtifactError, match="not a run folder"):
        RunDirectory(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({"config": 1}))
    with pytest.raises(CorruptArtifactError, match=r"run\.json"):
        RunDirectory(tmp_path)


def test_hints_of_a_moved_or_copied_run_name_where_it_lies_now(toy, tmp_path):
    toy.run(last="s01")
    moved = tmp_path / "elsewhere" / "moved run"
    moved.parent.mkdir()
    toy.folder.rename(moved)
    with pytest.raises(MissingArtifactError) as told:
        RunDirectory(moved).load("scaled")
    assert f"--out '{moved}'" in told.value.remedy and str(toy.folder) not in told.value.remedy
    (moved / "s01_scans/scans.npy").unlink()
    error = verification_error(moved, verify_run(moved))
    assert f"--out '{moved}'" in str(error) and str(toy.folder) not in str(error)
    assert str(moved) in str(RunDirectory(moved).command())
    assert recorded_config(moved, toy.stages).raw == toy.config().raw


def test_hints_keep_what_the_run_was_allowed_and_leave_out_what_is_gone(toy, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    toy.run(data=data, flags=frozenset({"allow-leakage"}))
    record = json.loads((toy.folder / "run.json").read_text())
    gone = {"config_file": str(tmp_path / "gone.yaml"), "overrides": ["s02.epochs=3"]}
    (toy.folder / "run.json").write_text(json.dumps(record | gone))
    words = RunDirectory(toy.folder).command()
    assert "--allow-leakage" in words and f"--data {data}" in words and "gone.yaml" not in words and "--set" not in words
    data.rmdir()
    assert "--data DIR" in RunDirectory(toy.folder).command()
