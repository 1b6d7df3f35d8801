"""What the demo configuration finds on phantoms: the disease where there is one, chance where there is none."""

from __future__ import annotations

import pytest

from pipeline.data.phantom import write_dataset
from pipeline.engine.config import load_run_config
from pipeline.engine.rundir import RunDirectory
from pipeline.engine.runner import run_pipeline
from stages import STAGES

pytestmark = pytest.mark.slow


def paired_auc(folder, severity: float) -> dict:
    # 50 test patients; with 24 one training gave 0.927 where this gives 1.000, too few to judge by.
    write_dataset(folder / "scans", 200, 5, severity=severity)
    config = load_run_config("configs/demo.yaml", STAGES)
    run_pipeline(config, STAGES, folder / "run", data=folder / "scans", last="s05")
    run = RunDirectory(folder / "run")
    chosen = run.load_json("choice")["chosen"]
    return run.load_json("head_metrics")[chosen]["paired"]["auc"]


def test_strong_lesions_are_found(tmp_path):
    assert paired_auc(tmp_path, severity=1.0)["value"] >= 0.95


def test_without_lesions_the_interval_contains_chance(tmp_path):
    auc = paired_auc(tmp_path, severity=0.0)
    assert auc["low"] <= 0.5 <= auc["high"]
