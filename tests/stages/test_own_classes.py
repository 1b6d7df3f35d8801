"""s01 on other people's data: their classes, one modality, the class that is looked for."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from pipeline.engine.config import build_run_config
from pipeline.engine.errors import ConfigError, DataError
from pipeline.engine.runner import run_pipeline
from stages import STAGES

XRAY = {"xray_32": {"modality": "xray", "size": 32}}
BOTH = XRAY | {"ct_32": {"modality": "ct", "size": 32}}


def preprocess(tmp_path, folders, classes, **section):
    """dataset.json and the file names of s01 on noise, 12 scans a class and folder."""
    draw = np.random.default_rng(0)
    for folder in folders:
        for label in classes:
            (tmp_path / "scans" / folder / label).mkdir(parents=True)
            for number in range(12):
                cv2.imwrite(str(tmp_path / "scans" / folder / label / f"{number}.png"), draw.integers(0, 256, (40, 36), np.uint8))
    config = build_run_config({"system": "test", "s01": {"profiles": XRAY, **section}}, STAGES)
    run_pipeline(config, STAGES, tmp_path / "run", data=tmp_path / "scans")
    made = tmp_path / "run" / "s01_preprocessing"
    return json.loads((made / "dataset.json").read_text()), sorted(path.name for path in made.iterdir())


FOUR = ("X_Ray_Train", "X_Ray_Test", "CT_Scan_Train", "CT_Scan_Test")


def test_xrays_alone_with_classes_of_ones_own_and_a_sheet_of_one_row(tmp_path):
    dataset, made = preprocess(tmp_path, FOUR[:2], ("Healthy", "TB, active"), positive_class="TB, active")
    assert dataset["class_names"] == ["Healthy", "TB, active"] and dataset["positive_class"] == "TB, active"
    assert dataset["modalities"] == ["xray"] and "sample_sheet_blur.png" in made
    assert "COVID" not in json.dumps(dataset)


def test_three_classes_need_none_that_is_looked_for(tmp_path):
    dataset, _ = preprocess(tmp_path, FOUR, tuple("ABC"), profiles=BOTH, positive_class=None, sample_sheet=False)
    assert dataset["class_names"] == ["A", "B", "C"] and dataset["positive_class"] is None
    assert dataset["modalities"] == ["xray", "ct"]


@pytest.mark.parametrize(
    ("section", "error", "said"),
    [
        ({}, ConfigError, "'COVID' is not among the classes Healthy, TB"),
        ({"positive_class": "healthy"}, ConfigError, "Did you mean 'Healthy'"),
        ({"positive_class": None}, ConfigError, "is null, and there are two classes: Healthy or TB"),
        ({"positive_class": "TB", "profiles": BOTH}, DataError, "s01.profiles.ct_32 is of ct, of which the data has no scan"),
    ],
)
def test_what_is_missing_is_refused_before_any_scan_is_read(tmp_path, section, error, said):
    with pytest.raises(error, match=said):
        preprocess(tmp_path, FOUR[:2], ("Healthy", "TB"), **section)
    assert not (tmp_path / "run" / "s01_preprocessing").exists()
