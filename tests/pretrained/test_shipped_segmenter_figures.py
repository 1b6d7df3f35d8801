"""The figures that the shipped segmenter states, found again on its own test part by `evaluate`; marked `realdata`."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from pipeline.cli.app import main
from pipeline.engine.config import load_run_config
from pipeline.engine.runner import run_pipeline
from stages import STAGES

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
BUNDLE = ROOT / "pretrained" / "radiography_unet"

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    """Image, label, mask, patient and part of every scan that the network was trained, chosen or judged on."""
    run_dir = tmp_path_factory.mktemp("unet")
    config = load_run_config(ROOT / "configs" / "radiography_unet_256.yaml", STAGES)
    run_pipeline(config, STAGES, run_dir, data=DATA, only="s01")
    index = pd.read_csv(run_dir / "s01_preprocessing" / "scan_index.csv", dtype=str)
    masks = pd.read_csv(DATA / "manifest.csv", dtype=str).set_index("image")["mask_path"].dropna()
    index["mask"] = index["id"].map(str(DATA) + "/" + masks)
    index["image"] = str(DATA) + "/" + index["id"]
    return index[index["label"].isin(json.loads((BUNDLE / "bundle.json").read_text())["class_names"])]


def test_no_patient_was_learnt_from_and_judged(split):
    assert (split.groupby("patient_id")["split"].nunique() == 1).all()
    assert split.groupby("split").size().to_dict() == {"train": 950, "valid": 205, "test": 205}


def test_the_figures_are_found_again(split, tmp_path):
    part = split[split["split"] == "test"]
    part[["image", "label", "mask", "patient_id"]].to_csv(tmp_path / "test.csv", index=False)
    words = ["evaluate", "--bundle", str(BUNDLE), "--data", str(tmp_path / "test.csv"), "--out", str(tmp_path / "out"), "--quiet"]
    assert main((), words) == 0
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())
    stated = json.loads((BUNDLE / "bundle.json").read_text())["figures"]
    for metric in ("accuracy", "macro_f1", "macro_auc"):
        assert found["classification"][metric]["value"] == pytest.approx(stated["classification"][metric]["value"], abs=1e-6)
    # `evaluate` compares at each scan's own size, the stage at the network's.
    for name, dice in {None: stated["segmentation"], **stated["segmentation"]["per_class"]}.items():
        again = found["segmentation"]["per_class"][name] if name else found["segmentation"]
        assert again["dice"]["value"] == pytest.approx(dice["dice"]["value"], abs=0.003), name or "all"
