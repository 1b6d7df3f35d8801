"""The real configuration on the real scans; skipped by mark where `../shared/data` is absent (see tests/conftest.py)."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from pipeline.engine.config import load_run_config
from pipeline.engine.runner import run_pipeline
from stages import STAGES

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def preprocessed(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("real")
    config = load_run_config(ROOT / "configs" / "respiratory_mtl.yaml", STAGES)
    run_pipeline(config, STAGES, run_dir, data=DATA, only="s01")
    return run_dir / "s01_preprocessing"


def test_the_published_ct_split_is_kept_and_rows_without_one_train(preprocessed):
    counts = json.loads((preprocessed / "dataset.json").read_text())["counts"]["ct"]
    assert {split: sum(classes.values()) for split, classes in counts.items()} == {"train": 429, "valid": 118, "test": 198}
    assert counts["test"] == {"COVID": 98, "Non_COVID": 100}


def test_no_patient_and_no_picture_is_on_two_sides(preprocessed):
    index = pd.read_csv(preprocessed / "scan_index.csv", dtype=str)
    for column in ("patient_id", "pixel_sha1"):
        sides = index.groupby(["modality", column])["split"].nunique()
        assert (sides == 1).all()


def test_every_xray_source_is_in_every_split(preprocessed):
    index = pd.read_csv(preprocessed / "scan_index.csv", dtype=str)
    xray = index[index["modality"] == "xray"]
    assert len(xray) == 1932
    assert (xray.groupby("source")["split"].nunique() == 3).all()
