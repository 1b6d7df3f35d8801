"""What s01 makes of bad scans and bad configurations: named, skipped and counted, or refused with the remedy."""

from __future__ import annotations

import json
import os
import shutil

import cv2
import numpy as np
import pandas as pd
import pytest

from pipeline.engine.config import build_run_config
from pipeline.engine.errors import ConfigError, DataError
from pipeline.engine.runner import run_pipeline
from stages import STAGES

FOLDERS = ("X_Ray_Train", "X_Ray_Test", "CT_Scan_Train", "CT_Scan_Test")
PROFILES = {"xray_32": {"modality": "xray", "size": 32}, "ct_32": {"modality": "ct", "size": 32}}


@pytest.fixture
def scans(tmp_path):
    """Four folders of noise images, 16 a class and folder, a patient each."""
    draw, root = np.random.default_rng(0), tmp_path / "scans"
    rows = []
    for folder in FOLDERS:
        for label in ("COVID", "Non_COVID"):
            (root / folder / label).mkdir(parents=True)
            for number in range(16):
                name = f"{folder}/{label}/{number:02d}.png"
                cv2.imwrite(str(root / name), draw.integers(0, 256, (40, 36), np.uint8))
                rows.append((name, f"{folder}-{label}-{number}"))
    pd.DataFrame(rows, columns=["image", "patient_id"]).to_csv(root / "patients.csv", index=False)
    return root


def preprocess(scans, tmp_path, flags=frozenset(), **section):
    config = build_run_config({"system": "test", "s01": {"profiles": PROFILES, "sample_sheet": False, **section}}, STAGES)
    run_pipeline(config, STAGES, tmp_path / "run", data=scans, flags=flags)
    folder = tmp_path / "run" / "s01_preprocessing"
    return json.loads((folder / "dataset.json").read_text()), pd.read_csv(folder / "failures.csv"), folder


BROKEN = {
    "empty.png": b"",
    "text.png": b"this is not a picture\n",
    "cut.png": None,
    "dot.png": cv2.imencode(".png", np.zeros((1, 1), np.uint8))[1].tobytes(),
}


def test_broken_files_are_named_skipped_and_counted(scans, tmp_path):
    whole = (scans / "X_Ray_Train/COVID/00.png").read_bytes()
    for name, content in BROKEN.items():
        (scans / "X_Ray_Train/COVID" / name).write_bytes(whole[: len(whole) // 2] if content is None else content)
    dataset, failures, folder = preprocess(scans, tmp_path)
    assert dataset["unreadable"] == 4
    assert sorted(failures["id"]) == sorted(f"X_Ray_Train/COVID/{name}" for name in BROKEN)
    index = pd.read_csv(folder / "scan_index.csv")
    assert len(index) == 128
    assert np.load(folder / "pixels_xray_32.npy").shape == (64, 32, 32)


def test_more_than_a_twentieth_broken_is_refused_and_nothing_is_left(scans, tmp_path):
    for number in range(7):
        (scans / f"CT_Scan_Train/COVID/{number:02d}.png").write_bytes(b"gone")
    with pytest.raises(DataError, match=r"7 of 128 scans cannot be read.*CT_Scan_Train/COVID/00.png"):
        preprocess(scans, tmp_path)
    assert not (tmp_path / "run" / "s01_preprocessing").exists()


@pytest.mark.parametrize("folder", ["X_Ray_Train/COVID", "CT_Scan_Test/Non_COVID"])
def test_an_empty_or_missing_class_folder_is_refused(scans, tmp_path, folder):
    shutil.rmtree(scans / folder)
    with pytest.raises(DataError, match=folder.split("/")[1]):
        preprocess(scans, tmp_path)
    (scans / folder).mkdir()
    with pytest.raises(DataError, match=folder.split("/")[1]):
        preprocess(scans, tmp_path)


def test_a_patient_on_both_sides_is_refused_unless_allowed_and_then_said(scans, tmp_path):
    table = pd.read_csv(scans / "patients.csv")
    table.loc[table["image"] == "X_Ray_Test/COVID/03.png", "patient_id"] = "X_Ray_Train-COVID-3"
    table.to_csv(scans / "patients.csv", index=False)
    with pytest.raises(DataError, match="X_Ray_Train-COVID-3.*--allow-leakage"):
        preprocess(scans, tmp_path)
    dataset, _, _ = preprocess(scans, tmp_path, flags=frozenset({"allow-leakage"}))
    assert "X_Ray_Train-COVID-3" in dataset["leakage"][0]


def test_identical_pixels_on_both_sides_are_refused(scans, tmp_path):
    shutil.copy(scans / "CT_Scan_Train/COVID/00.png", scans / "CT_Scan_Test/COVID/00.png")
    with pytest.raises(DataError, match="identical pixels"):
        preprocess(scans, tmp_path)


def test_deep_color_and_palette_scans_are_read(scans, tmp_path):
    gray = np.random.default_rng(1).integers(0, 256, (40, 36), np.uint8)
    place = scans / "X_Ray_Train/COVID"
    cv2.imwrite(str(place / "deep.png"), gray.astype(np.uint16) * 257)
    cv2.imwrite(str(place / "rgba.png"), np.dstack([gray, gray, gray + 1, np.full_like(gray, 255)]))
    dataset, failures, _ = preprocess(scans, tmp_path)
    assert failures.empty and dataset["unreadable"] == 0


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"s01": {"profiles": PROFILES, "sampel_sheet": True}}, "sample_sheet"),
        ({"s01": {"profiles": PROFILES, "max_unreadable": 2}}, "max_unreadable"),
        ({"s01": {"profiles": {"x": {"modality": "xray", "size": 4}}}}, "size"),
        ({"s04": {"adversarial": {"warmup_epochs": 5}}}, "warmup_epochs is of objective 'inverted'.*write objective: inverted"),
        ({"s04": {"adversarial": {"objective": "sound", "tolerance": 0.1}}}, "tolerance is of objective 'inverted'"),
    ],
)
def test_a_wrong_configuration_names_the_key(section, said):
    with pytest.raises(ConfigError, match=said):
        build_run_config({"system": "test", **section}, STAGES)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"backbone": "ResNet5O"}, "ResNet50"),
        ({"profile": "xray_23"}, "xray_32"),
        ({"profile": "ct_32"}, "is of ct"),
        ({"backbone": "NASNetLarge"}, "331"),
    ],
)
def test_a_wrong_embedder_is_told_before_any_work(changed, said):
    embedders = {f"{m}_{r}": {"profile": f"{m}_32"} for m in ("xray", "ct") for r in ("task", "shared")}
    embedders["xray_task"] |= changed
    with pytest.raises(ConfigError, match=said):
        build_run_config({"system": "test", "s01": {"profiles": PROFILES}, "s02": {"embedders": embedders}}, STAGES)


def test_names_that_are_long_or_not_utf8_and_near_copies_go_through(scans, tmp_path):
    """Names stand escaped in the index; a mirrored JPEG copy on the other side of the split is named with its pair."""
    place, long = scans / "X_Ray_Train/COVID", "n" * 251 + ".png"
    (place / "00.png").rename(place / os.fsdecode(b"caf\xed.png"))
    (place / "01.png").rename(place / long)
    copy = np.ascontiguousarray(cv2.imread(str(place / "05.png"), 0)[:, ::-1])
    cv2.imwrite(str(scans / "X_Ray_Test/COVID/copy.jpg"), copy)
    dataset, failures, folder = preprocess(scans, tmp_path)
    index = pd.read_csv(folder / "scan_index.csv")
    assert failures.empty and {"X_Ray_Train/COVID/caf\\xED.png", f"X_Ray_Train/COVID/{long}"} <= set(index["id"])
    (pair,) = dataset["near_duplicates"]
    assert (pair["first"], pair["second"], pair["flip"]) == (
        "X_Ray_Test/COVID/copy.jpg", "X_Ray_Train/COVID/05.png", "mirrored"
    )  # fmt: skip
    manifest = json.loads((folder / "manifest.json").read_text())
    assert any("1 pair of images is nearly one picture on two sides" in text for text in manifest["warnings"])
    # The table of patients names the old file names: which scans it leaves out is said.
    assert any("3 of 129 scans have no patient id there" in text and "copy.jpg" in text for text in manifest["warnings"])
    before = (folder / "manifest.json").stat().st_mtime_ns
    preprocess(scans, tmp_path)
    assert (folder / "manifest.json").stat().st_mtime_ns == before
