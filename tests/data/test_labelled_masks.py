"""Labelled images and their masks: what is missing is told, what is wrong is refused by name."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.data.layouts.labelled_cases import read_labelled_cases
from pipeline.data.masks.mask_coding import read_mask_coding
from pipeline.data.masks.mask_reader import read_mask_at
from pipeline.engine.errors import DataError

NAMES = ("ALPHA", "BETA")


def put(path: Path, picture: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((20, 20), np.uint8) if picture is None else picture)
    return path


@pytest.fixture
def data(tmp_path):
    root = tmp_path / "data"
    for label in NAMES:
        for number in range(3):
            put(root / label / "images" / f"{number}.png")
            put(root / label / "masks" / f"{number}.png")
    return root


@pytest.fixture
def told():
    return []


def test_a_folder(data, told):
    (data / "patients.csv").write_text("image,patient_id\nALPHA/images/0.png,p7\n")
    images = read_labelled_cases(data, NAMES, told.append, masks=True)
    assert len(images) == 6 and told == [
        f"{data / 'patients.csv'}: 5 of 6 scans have no patient id there; each counts as a patient (5 are not in the table, or "
        "not told apart there: ALPHA/images/1.png, ALPHA/images/2.png, BETA/images/0.png, BETA/images/1.png, BETA/images/2.png).",
        f"{data}: 5 of 6 images have no patient_id; each counts as a patient",
    ]
    first = images[0]
    assert first.mask == data / "ALPHA" / "masks" / "0.png" and first.patient_id == "p7" and images[1].patient_id == ""
    assert first.source.label == "ALPHA" and first.source.relative.as_posix() == "ALPHA/images/0.png"


def test_a_missing_mask_and_a_mask_without_an_image_are_told(data, told):
    (data / "ALPHA" / "masks" / "1.png").unlink()
    (data / "BETA" / "images" / "2.png").unlink()
    images = read_labelled_cases(data, NAMES, told.append, masks=True)
    assert [image.mask is None for image in images].count(True) == 1 and len(images) == 5
    assert any("1 of 5 images have no mask" in text for text in told)
    assert any(text.endswith("BETA: 1 masks without a scan are passed over: 2.") for text in told)


def test_a_mask_of_another_format_is_found_by_its_stem(data, told):
    (data / "ALPHA" / "masks" / "1.png").rename(data / "ALPHA" / "masks" / "1.bmp")
    assert read_labelled_cases(data, NAMES, told.append, masks=True)[1].mask.name == "1.bmp"
    put(data / "ALPHA" / "masks" / "1.tif")
    with pytest.raises(DataError, match=r"1\.bmp and 1\.tif are masks of one image"):
        read_labelled_cases(data, NAMES, told.append, masks=True)


def test_a_missing_class_folder_is_told_and_a_mistyped_one_refused(data, told):
    images = read_labelled_cases(data, (*NAMES, "GAMMA"), told.append, masks=True)
    assert len(images) == 6 and any("no image of class GAMMA" in text for text in told)
    (data / "BETA").rename(data / "Bata")
    with pytest.raises(DataError, match=r"class 'Bata' is not one.*Did you mean 'BETA'"):
        read_labelled_cases(data, NAMES, told.append, masks=True)


def test_no_layout_at_all(tmp_path, told):
    put(tmp_path / "ALPHA" / "0.png")
    with pytest.raises(DataError, match="holds images/"):
        read_labelled_cases(tmp_path, NAMES, told.append, masks=True)


def test_a_table(data, told):
    table = data / "rows.csv"
    table.write_text(
        "image,label,mask,patient_id\nALPHA/images/0.png,ALPHA,ALPHA/masks/0.png,p1\nBETA/images/1.png,BETA,,p2\n"
    )
    first, second = read_labelled_cases(table, NAMES, told.append, masks=True)
    assert first.mask == data / "ALPHA/masks/0.png" and second.mask is None and second.patient_id == "p2"
    assert any("1 of 2 images have no mask" in text for text in told)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("image,label\nx.png,ALPHA\n", "no column 'mask'"),
        ("image,label,masks\nx.png,ALPHA,\n", "Did you mean 'masks'"),
        ("image,label,mask\n,ALPHA,\n", "row 1 names no image"),
        ("image,label,mask\nx.png,ALPHA,\nx.png,BETA,\n", "stands in row 1 and in row 2"),
        ("image,label,mask\nx.png,ALPHO,\n", "Did you mean 'ALPHA'"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, told, text, named):
    table = tmp_path / "rows.csv"
    table.write_text(text)
    with pytest.raises(DataError, match=named):
        read_labelled_cases(table, NAMES, told.append, masks=True)


def test_gray_values_are_cut_at_127_and_another_size_is_stretched(tmp_path):
    gray = np.array([[0, 127], [128, 255]], np.uint8).repeat(16, 0).repeat(16, 1)
    path = put(tmp_path / "m.png", gray)
    coding = read_mask_coding([path], ["128-255"])
    same, resized = read_mask_at(path, (32, 32), coding)
    np.testing.assert_array_equal(same, gray > 127)
    assert not resized and same.dtype == bool
    stretched, resized = read_mask_at(path, (64, 96), coding)
    np.testing.assert_array_equal(stretched, (gray > 127).repeat(2, 0).repeat(3, 1))
    assert resized
