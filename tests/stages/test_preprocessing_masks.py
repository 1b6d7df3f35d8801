"""s01 on a manifest with four classes, lung masks and further columns."""

from __future__ import annotations

import csv

import cv2
import numpy as np
import pandas as pd
import pytest

from pipeline.engine.arrays import open_array
from pipeline.engine.config import load_run_config
from pipeline.engine.errors import ConfigError, DataError
from pipeline.engine.rundir import RunDirectory
from pipeline.engine.runner import run_pipeline
from stages.s01_preprocessing import STAGE

CONFIG = """\
system: radiography_unet
s01:
  data:
    selection:
      - sets: {xrays: xray}
        labels: {A: A, B: B, C: C}
        mask_column: mask
        attribute_columns: [notes, age]
  positive_class: null
  profiles: {plain: {modality: xray, size: 32}}
  lung_masks: [plain]
  sample_sheet: false
"""


def generate(tmp_path, write=lambda mask: mask, labels="[]") -> RunDirectory:
    """36 generated scans: a bright square on noise, which is the mask; every third has none, one mask is broken."""
    data = tmp_path / "data"
    data.mkdir(exist_ok=True)
    chance = np.random.default_rng(0)
    rows = []
    for number in range(36):
        gray, mask = chance.integers(0, 90, (40, 50), np.uint8), np.zeros((40, 50), np.uint8)
        top = int(chance.integers(0, 20))
        mask[top : top + 20, 10:30] = 255
        gray[mask > 0] = 200
        cv2.imwrite(str(data / f"{number}.png"), gray)
        cv2.imwrite(str(data / f"{number}_mask.png"), write(mask))
        named = "" if number % 3 == 2 else f"{number}_mask.png"
        rows.append({"set": "xrays", "image": f"{number}.png", "label": "ABC"[number // 12], "patient_id": f"p{number // 2}",
                     "mask": named, "notes": f"note, of {number}", "age": str(number)})  # fmt: skip
    (data / "0_mask.png").write_text("no picture")
    with (data / "manifest.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    (tmp_path / "c.yaml").write_text(CONFIG.replace("  data:\n", f"  data:\n    mask_labels: {labels}\n"))
    run_pipeline(load_run_config(tmp_path / "c.yaml", (STAGE,)), (STAGE,), tmp_path / "run", data)
    return RunDirectory(tmp_path / "run")


@pytest.fixture
def run(tmp_path):
    return generate(tmp_path)


HALVES = np.where(np.arange(50) < 20, 20, 21).astype(np.uint8)
WRITTEN = {
    "0 and 1": (lambda mask: mask // 255, "[]", "1 is taken as lung"),
    "pure red": (lambda mask: cv2.merge([mask * 0, mask * 0, mask]), "[]", "#ff0000 is taken as lung"),
    "inverted": (lambda mask: 255 - mask, "[]", "inverted"),
    "three labels": (lambda mask: mask // 255 * HALVES, '[20, "#151515"]', "as was said"),
}


@pytest.mark.parametrize("way", WRITTEN)
def test_stored_masks_do_not_depend_on_how_they_are_written(tmp_path, run, way):
    write, labels, said = WRITTEN[way]
    (tmp_path / "other").mkdir()
    other = generate(tmp_path / "other", write, labels)
    assert other.artifact("lung_mask_plain").read_bytes() == run.artifact("lung_mask_plain").read_bytes()
    assert any(said in warning for warning in other.warnings()) and not any("lung" in w and "taken" in w for w in run.warnings())


def test_labels_that_are_not_told_are_refused(tmp_path):
    with pytest.raises(DataError, match="3 labels, 0, 20, 21.*mask_labels"):
        generate(tmp_path, WRITTEN["three labels"][0])
    with pytest.raises(ConfigError, match="'lung' is no label of a mask"):
        generate(tmp_path, labels="[lung]")


def test_masks_of_an_odd_share_are_named(tmp_path):
    run = generate(tmp_path, lambda mask: mask * np.uint8(not mask[6].any()))
    doubted = [warning for warning in run.warnings() if "doubtful" in warning]
    assert len(doubted) == 1 and "(the mask is empty)" in doubted[0]


def test_masks_lie_beside_their_scans(run):
    index = pd.read_csv(run.artifact("scan_index"))
    pixels, masks = open_array(run.artifact("pixels_plain")), open_array(run.artifact("lung_mask_plain"))
    assert pixels.shape == masks.shape == (36, 32, 32) and masks.dtype == np.uint8
    numbers = index["id"].str.removesuffix(".png").astype(int)
    assert index["has_mask"].tolist() == [int(n % 3 != 2 and n != 0) for n in numbers]
    for row, has in zip(index["row"], index["has_mask"], strict=True):
        if has:
            assert pixels[row][masks[row] > 0].mean() > pixels[row][masks[row] == 0].mean() + 80
        else:
            assert not masks[row].any()
    assert any("1 lung masks could not be read" in warning for warning in run.warnings())


def test_attributes_follow_the_index(run):
    index, told = pd.read_csv(run.artifact("scan_index")), pd.read_csv(run.artifact("scan_attributes"), dtype=str)
    assert list(told.columns) == ["id", "modality", "row", "notes", "age"]
    assert told["id"].tolist() == index["id"].tolist()
    assert all(notes == f"note, of {age}" for notes, age in zip(told["notes"], told["age"], strict=True))


def test_several_classes_need_no_positive_one(run):
    dataset = run.load_json("dataset")
    assert dataset["class_names"] == ["A", "B", "C"] and dataset["positive_class"] is None
