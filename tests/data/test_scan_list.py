"""A list of images with their labels is enough; what more it tells is found by the usual names of its columns."""

from __future__ import annotations

import csv
from collections import Counter

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from pipeline.data.layouts.data_source import DataSource, read_scans
from pipeline.data.layouts.lists.list_columns import ListColumns, find_columns, is_list
from pipeline.engine.errors import DataError

ROWS = 24


def write(root, name="scans.csv", rows=None, **columns):
    """A list of ROWS images, the classes in turn; columns: what is told beside image and label, by row."""
    rows = rows or [
        {"image": f"{n}.png", "label": ("well", "ill")[n % 2], **{key: value(n) for key, value in columns.items()}}
        for n in range(ROWS)
    ]
    for row in rows:
        (root / next(iter(row.values()))).touch()
    with (root / name).open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return root


def read(root, **settings):
    said: list[str] = []
    source = DataSource.model_validate({"layout": "list", "manifest": "scans.csv", "modality": "xray"} | settings)
    return read_scans(root, source, 0, said.append), said


def test_image_and_label_are_enough_and_unknown_patients_are_said(tmp_path):
    scans, said = read(write(tmp_path))
    assert Counter(scan.label for scan in scans) == {"well": 12, "ill": 12}
    assert {scan.split for scan in scans} == {"train", "valid", "test"} and {scan.patient_id for scan in scans} == {""}
    assert any("24 of 24 scans to split have no patient id" in line for line in said)


def test_what_else_is_told_is_read(tmp_path):
    write(
        tmp_path, **{"Patient ID": lambda n: f"p{n // 2}", "Subset": lambda n: ("Training", "VAL", "Test")[n // 2 % 3],
                     "modality": lambda n: ("CXR", "CT scan")[n // 2 % 2], "Hospital": lambda n: "abc"[n % 3], "age": str},
    )  # fmt: skip
    scans, _ = read(tmp_path, modality=None, attribute_columns=("age",))
    told = {scan.id: scan for scan in scans}["6.png"]
    assert (told.modality, told.split, told.patient_id, told.source) == ("ct", "train", "p3", "a")
    assert dict(told.attributes) == {"age": "6"}
    assert Counter(scan.split for scan in scans) == {"train": 8, "valid": 8, "test": 8}


MEANINGLESS = {
    "trian": "split is 'trian', which is no train or valid or test. Did you mean 'train'",
    "tst": "split is 'tst', .* Did you mean 'test'",
    "development": "split is 'development'",
    "0": "split is '0'",
    "mri": "modality is 'mri', which is no xray or ct",
}


@pytest.mark.parametrize("word", MEANINGLESS)
def test_a_word_that_means_nothing_is_refused(tmp_path, word):
    write(tmp_path, **{MEANINGLESS[word].split()[0]: lambda n: word})
    with pytest.raises(DataError, match=MEANINGLESS[word]):
        read(tmp_path)


def test_a_usual_word_is_known_whatever_its_case_and_blanks(tmp_path):
    write(tmp_path, Partition=lambda n: ("TRAIN ", " Hold-out", "val")[n // 2 % 3])
    assert Counter(scan.split for scan in read(tmp_path)[0]) == {"train": 8, "valid": 8, "test": 8}


@pytest.mark.parametrize("word", ["nan", "NaN", "<NA>", "null", "#N/A"])
def test_what_programs_write_into_an_empty_cell_is_no_class(tmp_path, word):
    write(tmp_path, label=lambda n: word if n == 3 else "ab"[n % 2])
    with pytest.raises(DataError, match=rf"row 4 has no label \('{word}'\)"):
        read(tmp_path)
    write(tmp_path, Site=lambda n: word, mask=lambda n: word)
    assert {(scan.source, scan.mask) for scan in read(tmp_path)[0]} == {("", None)}


def test_a_file_under_two_paths_stands_there_twice(tmp_path):
    write(tmp_path, image=lambda n: f"{n}.png" if n else str(tmp_path / "1.png"))
    with pytest.raises(DataError, match="stands there twice"):
        read(tmp_path)


def test_a_split_in_some_rows_only_is_refused(tmp_path):
    write(tmp_path, split=lambda n: ("train", "test", "")[n % 3])
    with pytest.raises(DataError, match="8 of 24 scans have no split"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"image": "a.png", "label": ""}], "row 1 has no label"),
        ([{"image": "a.png", "label": "x"}, {"image": "./a.png", "label": "y"}], "a.png stands there twice"),
        ([{"image": "a.png", "kind": "x"}], r"no column is called as the label usually is.*s01\.data\.columns\.label"),
        ([{"image": "a.png", "label": "x", "diagnosis": "y"}], r"'label' and 'diagnosis' could both be the label"),
    ],
)
def test_lists_that_are_refused(tmp_path, rows, said):
    write(tmp_path, rows=rows)
    with pytest.raises(DataError, match=said):
        read(tmp_path)


def test_columns_that_are_called_otherwise_are_named(tmp_path):
    rows = [{"jpeg": f"{n}.png", "what": "ab"[n % 2], "who": f"p{n}"} for n in range(ROWS)]
    write(tmp_path, rows=rows)
    scans, said = read(tmp_path, columns={"image": "jpeg", "label": "what", "patient": "who"})
    assert len({scan.patient_id for scan in scans}) == ROWS and said == []
    with pytest.raises(DataError, match="no column 'waht', which s01.data.columns.label names. Did you mean 'what'"):
        read(tmp_path, columns={"image": "jpeg", "label": "waht"})


def test_a_list_of_other_images_and_one_without_a_modality_are_refused(tmp_path):
    write(tmp_path)
    with pytest.raises(DataError, match="nothing tells whether it is an X-ray or a CT slice"):
        read(tmp_path, modality=None)
    (tmp_path / "deeper").mkdir()
    for path in tmp_path.glob("*.png"):
        path.unlink()
    with pytest.raises(DataError, match="none of its 24 images"):
        read(tmp_path)


def test_a_list_is_told_by_its_header(tmp_path):
    assert is_list(["Image Path", "Diagnosis"]) and not is_list(["image", "patient_id"])
    found = find_columns(tmp_path, ["File Name", "class", "Subject-ID"], ListColumns())
    assert found == {"image": "File Name", "label": "class", "patient": "Subject-ID"}


def write_dicom(path, patient, modality):
    """The header alone is asked."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = SecondaryCaptureImageStorage, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = generate_uid()
    made = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    made.PatientID, made.Modality, made.Rows, made.Columns = patient, modality, 8, 8
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelRepresentation, made.SamplesPerPixel, made.PhotometricInterpretation = 7, 0, 1, "MONOCHROME2"
    made.PixelData = np.zeros((8, 8), np.uint8).tobytes()
    pydicom.dcmwrite(path, made, enforce_file_format=True)


@pytest.mark.parametrize("layout", ["list", "class_folders"])
def test_dicom_headers_tell_patients_and_modality(tmp_path, layout):
    if layout == "list":
        write(tmp_path)
    for number in range(ROWS):
        label = ("well", "ill")[number % 2]
        folder = tmp_path if layout == "list" else tmp_path / label
        folder.mkdir(exist_ok=True)
        patient = "anonymous" if number == 0 else f"MRN {number // 4}-{label}"
        write_dicom(folder / f"{number}.png", patient, "DX")
    scans, said = read(tmp_path, layout=layout, modality=None, dicom_headers=True)
    assert {scan.modality for scan in scans} == {"xray"}
    assert len({scan.patient_id for scan in scans} - {""}) == 12
    assert any("1 of 24 scans have no patient id, in no DICOM header either" in line for line in said)
    assert len({(scan.patient_id, scan.split) for scan in scans if scan.patient_id}) == 12
    with pytest.raises(DataError, match="its header says xray, and it is given as ct"):
        read(tmp_path, layout=layout, modality="ct", dicom_headers=True)
