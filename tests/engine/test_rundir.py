from __future__ import annotations

import json

import numpy as np
import pytest

from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError
from pipeline.engine.rundir import RunDirectory


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
