"""docs/your_data.md, typed in word for word: each kind of data goes from its folder to a comparison, a bundle and an answer."""

from __future__ import annotations

import csv
import gzip
import json
import re
import shlex
import shutil
from pathlib import Path

import cv2
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

from pipeline.cli import app
from pipeline.data.phantom import write_dataset
from stages import STAGES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "your_data.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, flags=re.DOTALL | re.MULTILINE))
PROGRAM = "python run_pipeline.py "
SIDE = 96


def commands(title: str) -> list[list[str]]:
    """What the section's block of commands says, without the program."""
    block = re.search(r"^```sh\n(.*?)^```", SECTIONS[title], flags=re.DOTALL | re.MULTILINE)
    assert block is not None
    lines = block[1].strip().splitlines()
    assert all(line.startswith(PROGRAM) for line in lines)
    return [shlex.split(line.removeprefix(PROGRAM)) for line in lines]


def phantoms(work: Path, patients: int, conditions=("covid", "normal"), layout="respiratory", size=SIDE) -> list[dict]:
    """Rows of generated patients in work/made, whose names of classes nothing below repeats."""
    table = write_dataset(work / "made", patients, 11, size=size, workers=1, layout=layout, conditions=conditions)
    with table.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def put(work: Path, row: dict, place: str) -> Path:
    target = work / "scans" / place
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(work / "made" / row["image"], target)
    return target


def newcomer(work: Path, row: dict, name: str) -> None:
    (work / "new").mkdir(exist_ok=True)
    shutil.copy(work / "made" / row["image"], work / "new" / name)


def of_class_folders(work: Path) -> None:
    rows = [row for row in phantoms(work, 20, size=64) if row["modality"] == "xray"]
    for row in rows:
        label = "Fibrosis" if row["condition"] == "covid" else "Healthy"
        put(work, row, f"{label}/{row['patient_id']}.png")
    other = "Healthy" if rows[0]["condition"] == "covid" else "Fibrosis"
    twin = put(work, rows[0], f"{other}/nearly the first.png")  # of which the run warns by name
    cv2.imwrite(str(twin), cv2.imread(str(twin), cv2.IMREAD_GRAYSCALE) // 2)
    newcomer(work, rows[0], "scan.png")


def of_four_folders(work: Path) -> None:
    rows = phantoms(work, 64)
    for row in rows:
        label = "TB" if row["condition"] == "covid" else "Healthy"
        put(work, row, f"{Path(row['image']).parts[0]}/{label}/{row['patient_id']}.png")
        newcomer(work, row, f"{row['modality']}.png")


def of_three_classes(work: Path) -> None:
    names = {"covid": "Silicosis", "normal": "Clear", "viral": "Asbestosis", "bacterial": "Asbestosis"}
    rows = [row for row in phantoms(work, 96, tuple(names)) if row["modality"] == "xray"]
    for row in rows:
        put(work, row, f"{Path(row['image']).parts[0]}/{names[row['condition']]}/{row['patient_id']}.png")
    newcomer(work, rows[0], "xray.png")


def of_a_list(work: Path) -> None:
    rows = [row for row in phantoms(work, 60) if row["modality"] == "xray"]
    written = []
    for number, row in enumerate(rows):
        put(work, row, f"a/{number:04}.png")
        label = "Nodule" if row["condition"] == "covid" else "No nodule"
        split = "test" if row["split"] == "test" else "val" if number % 4 == 0 else "train"
        written.append([f"a/{number:04}.png", label, row["patient_id"], split, "xray"])
    with (work / "scans" / "list.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["image", "label", "patient_id", "split", "modality"], *written])
    newcomer(work, rows[0], "scan.png")


def of_a_dicom_export(work: Path) -> None:
    rows = [row for row in phantoms(work, 44) if row["modality"] == "xray"]
    for number, row in enumerate(rows):
        label = "Effusion" if row["condition"] == "covid" else "Clear"
        place = work / "scans" / label / row["patient_id"] / f"IM{number:06}"
        place.parent.mkdir(parents=True, exist_ok=True)
        write_dicom(place, work / "made" / row["image"], row["patient_id"])
    (work / "new").mkdir()
    write_dicom(work / "new" / "scan.dcm", work / "made" / rows[0]["image"], "NEW")


def write_dicom(place: Path, picture: Path, patient: str) -> None:
    """The picture as an X-ray's DICOM object, 8 bits, uncompressed."""
    pixels = cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[patient, str(picture)])
    made = FileDataset(str(place), {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID, made.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    made.PatientID, made.Modality, made.ImageType = patient, "DX", ["DERIVED", "PRIMARY"]
    made.Rows, made.Columns = pixels.shape
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PixelRepresentation = 1, "MONOCHROME2", 0
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelData = 7, pixels.tobytes()
    pydicom.dcmwrite(place, made, enforce_file_format=True)


def of_masks(work: Path) -> None:
    rows = phantoms(work, 40, ("covid", "normal", "bacterial", "viral"), "radiography")
    names = {"covid": "Fibrosis", "normal": "Clear", "bacterial": "Clear", "viral": "Fibrosis"}
    for row in rows:
        folder, name = f"scans/{names[row['condition']]}", f"{row['patient_id']}.png"
        for part, source in (("images", row["image"]), ("masks", row["mask_path"])):
            (work / folder / part).mkdir(parents=True, exist_ok=True)
            shutil.copy(work / "made" / source, work / folder / part / name)
    newcomer(work, rows[0], "scan.png")


FLOWS = {
    "Class folders": of_class_folders,
    "X-rays and CT slices": of_four_folders,
    "Three classes, X-rays alone": of_three_classes,
    "A list": of_a_list,
    "A DICOM export": of_a_dicom_export,
    "Lung masks": of_masks,
}
FAST = "Class folders"


@pytest.fixture
def typed(capfd, monkeypatch, tmp_path):
    """``typed(words)`` → standard output of a command that succeeded, from the folder that holds `scans` and `new`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(words: list[str]) -> str:
        code = app.main(STAGES, words)
        shown = capfd.readouterr()
        assert code == 0, (words, shown.out[-2000:], shown.err[-2000:])
        return shown.out

    return run


@pytest.mark.parametrize("title", [name if name == FAST else pytest.param(name, marks=pytest.mark.slow) for name in FLOWS])
def test_five_commands_from_a_folder_to_an_answer(title, typed, tmp_path):
    FLOWS[title](tmp_path)
    before = {path: path.read_bytes() for path in (tmp_path / "scans").rglob("*") if path.is_file()}
    words = commands(title)
    assert [line[0] for line in words[:4]] == ["init", "run", "compare", "export"] and len(words) == 5
    shown = {line[0]: typed(line) for line in words[:-1]}
    read = {word for word in words[-1] if word in ("--xray", "--ct")}
    assert all(set(re.findall(r"(--xray|--ct) FILE", shown[name])) == read for name in ("run", "export"))
    classes = set(json.loads((tmp_path / "runs/mine/s01_preprocessing/dataset.json").read_text())["class_names"])
    assert (tmp_path / "runs/comparison/comparison.json").is_file()
    assert not named_in(tmp_path / "runs/bundle", tmp_path / "runs/mine/s01_preprocessing/scan_index.csv")
    described = json.loads((tmp_path / "runs/bundle/bundle.json").read_text())
    assert set(described["class_names"]) == classes
    answer = typed(words[-1])
    assert any(name in answer for name in classes) and "COVID" not in answer and "COVID" not in json.dumps(described)
    assert {path: path.read_bytes() for path in before} == before


def named_in(bundle: Path, index: Path) -> set[str]:
    """Which of a run's patients and scans the files of a bundle name: what is handed on names none."""
    with index.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    # a number by itself would be found among the digits of figures and digests
    told = {name for row in rows for name in (row["patient_id"], row["id"], Path(row["id"]).stem)}
    names = {name.encode() for name in told if len(name) > 3 and not name.isdigit()}
    held = [path.read_bytes() for path in bundle.rglob("*") if path.is_file()]
    held += [gzip.decompress(content) for content in held if content.startswith(b"\x1f\x8b")]
    assert names
    return {name.decode() for name in names if any(name in content for content in held)}


def test_the_look_and_the_sheet_work_as_they_are_written(typed, tmp_path):
    of_four_folders_small(tmp_path)
    first = re.search(rf"^```sh\n{re.escape(PROGRAM)}(data check .*?)\n```", PAGE, flags=re.MULTILINE)
    assert first is not None and "taken for X_Ray_Train" in typed(shlex.split(first[1]))
    typed(commands("Before you trust a figure")[0])
    assert (tmp_path / "sheet.png").is_file()


def of_four_folders_small(work: Path) -> None:
    from own_scans import class_folders, picture

    class_folders(work / "scans", ("Healthy", "TB"), 6, ("X_Ray_Train", "X_Ray_Test"))
    picture(work / "new" / "scan.png", 999)


def test_every_kind_of_data_of_the_table_is_a_flow():
    assert set(FLOWS) <= set(SECTIONS)
    assert [title for title in SECTIONS if title not in FLOWS] == ["Patients", "A split of your own", "Before you trust a figure"]


def test_the_columns_that_the_page_names_are_those_that_are_found():
    from pipeline.data.layouts.lists.list_columns import USUAL_NAMES

    table = re.search(r"\| column \| called \|\n(.*?)\n\n", SECTIONS["A list"], flags=re.DOTALL)
    named = re.findall(r"`([a-z_]+)`", " ".join(line.split("|")[2] for line in table[1].splitlines()[1:]))
    assert sorted(named) == sorted(name for usual in USUAL_NAMES.values() for name in usual)
