"""s08 on generated scans: what it stores is what it scored, patients stay apart, and its settings are checked at once."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from pipeline.engine.config import build_run_config
from pipeline.engine.errors import ConfigError
from pipeline.engine.runner import run_pipeline
from stages.s01_preprocessing import STAGE as S01
from stages.s08_classifier import STAGE as S08

FOLDER = "s08_classifier"
LOGISTIC = {"views": 2, "validation": {"folds": 2}, "head": {"hidden": [], "standardize": True, "solver": "logistic"}}
STAGES = (S01, S08)


def document(**s08) -> dict:
    return {
        "system": "tiny_classifier",
        "seed": 3,
        "s01": {"data": {"valid_fraction": 0.25}, "sample_sheet": False,
                "profiles": {"xray_plain": {"modality": "xray", "size": 64}, "ct_plain": {"modality": "ct", "size": 64}}},
        "s08": {"profile": "xray_plain", "weights": "none", "head": {"hidden": [16]},
                "fit": {"epochs": 2, "batch_size": 8, "monitor": "val_loss"}, **s08},
    }  # fmt: skip


def train(tiny_inputs, folder, **s08):
    run_pipeline(build_run_config(document(**s08), STAGES), STAGES, folder, tiny_inputs[0])
    return folder / FOLDER


@pytest.fixture(scope="module")
def frozen(tiny_inputs, tmp_path_factory):
    return train(tiny_inputs, tmp_path_factory.mktemp("classifier"), **LOGISTIC)


def test_the_stored_network_gives_the_stored_probabilities(frozen):
    from pipeline.models.stored_models import load_model
    from pipeline.training.frozen_features import scaled

    model = load_model(frozen / "classifier.weights.h5", frozen / "classifier.json")
    table = pd.read_csv(frozen / "predictions.csv")
    index = pd.read_csv(frozen.parent / "s01_preprocessing" / "scan_index.csv").set_index("id")
    pixels = np.load(frozen.parent / "s01_preprocessing" / "pixels_xray_plain.npy")
    mine = table[table["split"] == "test"]
    logits = np.asarray(model(scaled(pixels[index.loc[mine["id"], "row"]])))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, np.load(frozen / "probabilities.npy")[mine.index], atol=1e-5)
    np.testing.assert_allclose(table[["prob_COVID", "prob_Non_COVID"]], np.load(frozen / "probabilities.npy"), rtol=1e-6)


def test_the_threshold_decides_and_the_metrics_follow(frozen):
    table = pd.read_csv(frozen / "predictions.csv")
    said = json.loads((frozen / "classification.json").read_text())
    assert said["class_names"] == ["COVID", "Non_COVID"] and said["positive_class"] == "COVID"
    stored = table[table["split"].isin(["valid", "test"])]
    called = np.where(stored["prob_COVID"] >= said["threshold"], "COVID", "Non_COVID")
    assert (called == stored["predicted"]).all()
    metrics = json.loads((frozen / "metrics.json").read_text())
    assert set(metrics) == {"validation", "test", "folds"}
    for part, split in (("validation", "valid"), ("test", "test"), ("folds", "out_of_fold")):
        rows = table[table["split"] == split]
        assert metrics[part]["rows"] == len(rows)
        right = float((rows["label"] == rows["predicted"]).mean())
        assert metrics[part]["metrics"]["accuracy"]["value"] == pytest.approx(right)


def test_every_scan_is_answered_by_the_fold_of_its_patient(frozen):
    table = pd.read_csv(frozen / "predictions.csv")
    folds = table[table["split"] == "out_of_fold"]
    assert len(folds) == 24 and folds["id"].is_unique and set(folds["fold"]) == {0, 1}
    assert folds.groupby("patient_id")["fold"].nunique().max() == 1
    assert set(table.loc[table["split"] == "test", "fold"]) == {-1}


def test_the_same_seed_gives_the_same_bytes(frozen, tiny_inputs, tmp_path):
    again = train(tiny_inputs, tmp_path / "again", **LOGISTIC)
    for name in ("classifier.weights.h5", "classifier.json", "probabilities.npy", "predictions.csv", "metrics.json"):
        assert (again / name).read_bytes() == (frozen / name).read_bytes(), name


def test_fine_tuning_moves_the_backbone_and_is_judged_with_it(tiny_inputs, without_graphs, tmp_path):
    fit = {"epochs": 1, "batch_size": 8, "monitor": "val_loss", "mixed_precision": True, "backbone_learning_rate": 1e-3}
    with without_graphs():
        folder = train(tiny_inputs, tmp_path, mode="finetune", finetuning={"fit": fit, "unfreeze_last": 6})
    history = json.loads((folder / "history.json").read_text())
    assert set(history) == {"head", "finetuning"} and len(history["finetuning"]["loss"]) == 1
    architecture = (folder / "classifier.json").read_text()
    assert "bfloat16" not in architecture


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"profile": "xray_plian"}, "xray_plain"),
        ({"backbone": "ResNet5"}, "ResNet50"),
        ({"backbone": "NASNetLarge"}, "331 px"),
        ({"fit": {"epochs": 2, "warmup_epochs": 2}}, "warmup_epochs"),
        ({"finetuning": {"unfreeze": [{"epoch": 1, "last": "all"}, {"epoch": 2, "last": 3}]}}, "frozen again"),
        ({"validation": {"threshold": "sensitivity"}}, "threshold_target"),
        ({"augmentation": {"crop_from": 32}}, "smaller"),
        ({"augmentations": {}}, "augmentation"),
        ({"head": {"solver": "logistic"}}, "hidden"),
    ],
)
def test_a_configuration_that_cannot_be_run_is_refused(changed, said):
    with pytest.raises(ConfigError, match=said):
        build_run_config(document(**changed), STAGES)


def test_two_classes_need_a_positive_one(tiny_inputs, tmp_path):
    settings = document()
    settings["s01"]["positive_class"] = None
    with pytest.raises(ConfigError, match="positive_class"):
        run_pipeline(build_run_config(settings, STAGES), STAGES, tmp_path, tiny_inputs[0])
