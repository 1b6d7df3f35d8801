"""`data check` says what a folder is taken for and what a run would stumble over; `data sheet` draws two named files."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from own_scans import class_folders, contents, copied, listed, picture

from pipeline.cli.app import main
from pipeline.data.reading.dicom_chain import header_facts
from pipeline.data.reading.dicom_chain.dicom_object import parsed_stream
from stages import STAGES
from tests.data.dicom_objects import dicom_bytes

FOUR = ("X_Ray_Train", "X_Ray_Test", "CT_Scan_Train", "CT_Scan_Test")


@pytest.fixture
def check(command):
    """``check(folder, *words)`` → (exit code, document, standard error)."""

    def run(folder, *words):
        before = contents(folder)
        code, out, err = command("data", "check", folder, "--json", "--workers", 1, *words)
        assert contents(folder) == before
        return code, json.loads(out) if out else None, err

    return run


def said(document, weight):
    return [problem["message"] for problem in document["problems"] if problem["weight"] == weight]


def test_the_four_folders(check, tmp_path):
    code, document, _ = check(class_folders(tmp_path, ("Healthy", "TB"), 5, FOUR))
    assert code == 0 and document["layout"] == "respiratory" and document["classes"] == ["Healthy", "TB"]
    assert document["modalities"] == ["xray", "ct"] and document["own_split"] == ["train", "test"]
    assert document["patients"] == {"told_by": "", "known": 0, "scans_without": 40}
    assert {(row["modality"], row["label"], row["split"]) for row in document["counts"]} >= {("ct", "TB", "valid")}
    assert "--system respiratory_mtl --positive-class CLASS" in document["next"]


@pytest.mark.parametrize(
    ("make", "layout", "words"),
    [
        (lambda root: class_folders(root), "class_folders", ()),
        (lambda root: class_folders(root, parts=("train", "test")), "class_folders", ()),
        (lambda root: class_folders(root, masks=True), "class_masks", ()),
        (lambda root: listed(root), "list", ()),
        (lambda root: listed(class_folders(root)), "list", ("--list", "list.csv")),
        (lambda root: listed(class_folders(root / "x").parent, name="x/list.csv"), "list", ("--list", "x/list.csv")),
    ],
)
def test_what_a_folder_is_taken_for_and_that_the_modality_is_asked_for(check, tmp_path, make, layout, words):
    code, document, _ = check(make(tmp_path), *words)
    assert (code, document["layout"]) == (0, layout)
    assert len(said(document, "asked")) == 1 and "--modality MODALITY" in document["next"]
    code, document, _ = check(tmp_path, *words, "--modality", "ct")
    assert code == 0 and said(document, "asked") == [] and document["modalities"] == ["ct"]
    assert "--modality ct" in document["next"]


def test_two_meanings_are_not_chosen_between(check, tmp_path):
    listed(class_folders(tmp_path))
    code, _, err = check(tmp_path)
    assert code == 2 and "--layout class_folders, or --list list.csv" in err
    (tmp_path / "second.csv").write_text((tmp_path / "list.csv").read_text())
    code, _, err = check(tmp_path, "--layout", "list")
    assert code == 2 and "several lists: list.csv, second.csv" in err


def test_a_choice_that_was_made_is_in_the_next_command(check, tmp_path):
    listed(class_folders(tmp_path, ("Healthy", "TB"), 5, FOUR))
    code, _, err = check(tmp_path)
    assert code == 2 and "--layout respiratory, or --list list.csv" in err
    code, document, _ = check(tmp_path, "--layout", "respiratory")
    assert code == 0 and "--layout respiratory" in document["next"]
    (tmp_path / "list.csv").unlink()
    (tmp_path / "manifest.csv").write_text("image,label,patient_id\nX_Ray_Train/Healthy/Hea0.png,Healthy,p\n")
    document = check(tmp_path)[1]
    assert document["layout"] == "respiratory" and document["patients"]["told_by"] == "manifest.csv"


def test_each_header_is_read_once(check, tmp_path, monkeypatch):
    draw = np.random.default_rng(0)
    for number, path in enumerate(sorted(class_folders(tmp_path, scans=4).rglob("*.png"))):
        pixels = draw.integers(0, 4096, (32, 32)).astype(np.uint16)
        path.with_suffix("").write_bytes(dicom_bytes(pixels, PatientID=f"p{number}"))
        path.unlink()
    asked = []
    monkeypatch.setattr(header_facts, "parsed_stream", lambda *told: asked.append(told[1]) or parsed_stream(*told))
    code, document, _ = check(tmp_path)
    assert code == 0 and document["patients"]["told_by"] == "DICOM headers"
    assert len(asked) == len(set(asked)) == 8


def test_images_without_labels_and_no_folder(check, command, tmp_path):
    picture(tmp_path / "1.png", 1)
    code, _, err = check(tmp_path)
    assert code == 4 and "nothing here says what the scans show" in err
    assert check(tmp_path / "absent")[0] == 4
    code, _, err = command("data", "check", tmp_path / "1.png")
    assert code == 4 and "is a file and not a folder" in err
    class_folders(tmp_path / "x" / "y", parts=("train", "test"))
    code, _, err = check(tmp_path / "x")
    assert code == 4 and f"It is in {tmp_path / 'x' / 'y'}: give that" in err


@pytest.mark.parametrize("parts", [("trian", "tst"), ("XRay_Train", "XRay_Test"), ("2019", "2020", "2021")])
def test_folders_that_hold_the_same_folders_are_not_taken_for_classes(check, tmp_path, parts):
    code, _, err = check(class_folders(tmp_path, parts=parts), "--modality", "xray")
    assert code == 2 and "hold the same folders (Fibrosis, Healthy): which are the classes?" in err
    assert check(tmp_path, "--modality", "xray", "--layout", "class_folders")[1]["classes"] == sorted(parts)
    picture(tmp_path / parts[0] / "1.png", 999)
    assert check(tmp_path, "--modality", "xray")[1]["classes"] == sorted(parts)


def test_numbered_folders_of_patients_are_not_taken_for_classes(check, tmp_path):
    for number in range(12):
        for seed, label in enumerate(("TB", "Healthy")):
            picture(tmp_path / label / f"PA{number:06}" / "ST000000" / "IM000000.png", 2 * number + seed)
    assert check(tmp_path, "--modality", "xray")[1]["classes"] == ["Healthy", "TB"]


def test_a_table_that_cannot_be_read_is_not_passed_over(check, tmp_path):
    class_folders(tmp_path)
    (tmp_path / "list.csv").write_bytes("image,label\nHealthy/Hea0.png,Entzündung\n".encode("latin-1"))
    code, _, err = check(tmp_path, "--modality", "xray")
    assert code == 4 and "list.csv: cannot be read as a CSV table" in err and "--layout class_folders" in err
    assert check(tmp_path, "--modality", "xray", "--layout", "class_folders")[0] == 0


@pytest.mark.parametrize(
    ("make", "loose"),
    [
        (lambda root: class_folders(root), "loose.png"),
        (lambda root: class_folders(root, parts=("train", "test")), "train/loose.png"),
        (lambda root: class_folders(root, masks=True), "Healthy/loose.png"),
        (lambda root: class_folders(root, scans=6, parts=FOUR), "CT_Scan_Test/loose.png"),
    ],
)
def test_a_scan_beside_the_class_folders_is_told(check, tmp_path, make, loose):
    picture(make(tmp_path) / loose, 999)
    _, document, _ = check(tmp_path)
    assert any(f"scans beside the class folders: 1 (first: {loose})" in line for line in said(document, "warned"))


def test_a_class_of_which_no_scan_can_be_read(check, tmp_path):
    class_folders(tmp_path, scans=80)
    for number in range(7):
        (tmp_path / "Rare").mkdir(exist_ok=True)
        (tmp_path / "Rare" / f"{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    code, document, _ = check(tmp_path, "--modality", "xray")
    assert code == 4 and said(document, "refused") == ["xray, train: no scan of class 'Rare'."]


def test_what_half_of_the_scans_tell_is_not_split(check, tmp_path):
    listed(tmp_path, modality=lambda n: "" if n == 5 else "xray")
    code, document, _ = check(tmp_path)
    assert code == 0 and not said(document, "refused")
    assert said(document, "asked") == ["Nothing tells whether 1 of 24 scans are X-rays or CT slices."]


def test_many_small_classes_are_one_thing_to_mend(check, tmp_path):
    listed(tmp_path, tuple(f"c{number}" for number in range(12)))
    code, document, _ = check(tmp_path, "--modality", "ct")
    (refused,) = said(document, "refused")
    assert code == 4 and refused.startswith("ct, class 'c0': 2 scans of 2 patients") and refused.endswith(
        "and 7 more, too few for train, validation and test."
    )


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"A/1.nii.gz": "", "B/2.nii": ""}, "holds no scan, and 2 other files (first: A/1.nii.gz)"),
        ({"list.csv": "picture|label\n"}, "list.csv has the columns 'picture|label'."),
        ({"list.csv": ""}, "list.csv has no columns that can be read."),
        ({"list.tsv": "file\tsize\n"}, "list.tsv has the columns 'file', 'size'."),
    ],
)
def test_what_lies_there_instead_is_said(check, tmp_path, files, message):
    if "A/1.nii.gz" not in files:
        picture(tmp_path / "1.png", 1)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    code, _, err = check(tmp_path)
    assert code == 4 and message in " ".join(err.split())


@pytest.mark.posix
def test_a_table_of_patients_counts_in_whatever_case_its_name_is(check, tmp_path):
    class_folders(tmp_path)
    rows = "".join(f"{path.relative_to(tmp_path).as_posix()},{path.stem}\n" for path in tmp_path.rglob("*.png"))
    (tmp_path / "Patients.CSV").write_text("image,patient_id\n" + rows)
    (tmp_path / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    code, document, _ = check(tmp_path, "--modality", "xray")
    assert code == 0 and document["patients"] == {"told_by": "Patients.CSV", "known": 24, "scans_without": 0}
    assert not said(document, "warned")


def test_the_folders_of_one_modality_are_enough_where_it_is_the_one_that_is_read(check, tmp_path):
    class_folders(tmp_path, ("Healthy", "TB"), 5, FOUR[:3])
    assert check(tmp_path)[0] == 4
    code, document, _ = check(tmp_path, "--modality", "xray")
    assert code == 0 and document["settings"]["modalities"] == ["xray"] and "--modality xray" in document["next"]


def test_masks_that_cannot_be_read_are_told_and_not_counted(check, tmp_path):
    class_folders(tmp_path, masks=True)
    first = tmp_path / "Fibrosis" / "masks" / "Fib0.png"
    first.write_bytes(b"")
    code, document, _ = check(tmp_path, "--modality", "xray")
    assert code == 0 and document["masks"] == 23 and "--system radiography_unet" in document["next"]
    assert any("1 lung mask cannot be read, and their scans go on without" in line and first.name in line
               for line in said(document, "warned"))  # fmt: skip


def test_a_list_of_masks_that_are_not_there(check, command, tmp_path, capsys):
    data, out = listed(tmp_path / "data", mask=lambda n: f"m/{n}.png"), tmp_path / "my.yaml"
    code, document, _ = check(data, "--modality", "xray")
    assert code == 0 and document["masks"] == 0 and "--system classifier" in document["next"]
    assert any("24 lung masks cannot be read" in line for line in said(document, "warned"))
    words = ["init", "--data", data, "--out", out, "--list", "list.csv", "--modality", "xray", "--positive-class", "Nodule"]
    words = [str(word) for word in (*words, "--system", "radiography_unet")]
    code, _, err = command(*words)
    assert code == 4 and "No scan has a lung mask" in err and not out.exists()
    (data / "m").mkdir()
    for number in range(3):
        (data / "m" / f"{number}.png").write_bytes(b"no picture")
    assert main(STAGES, words) == 0
    words = ["run", "-c", str(out), "--data", str(data), "--out", str(tmp_path / "run"), "--to", "s01"]
    capsys.readouterr()
    assert main(STAGES, words) == 4 and "None of 24 lung masks can be read" in capsys.readouterr().err


def test_labels_that_are_brought_to_one_class(check, tmp_path):
    class_folders(tmp_path)
    code, document, _ = check(tmp_path, "--modality", "xray", "--label", "Fibrosis=x", "--label", "Healthy=x")
    assert code == 4 and said(document, "refused") == ["xray: only the class 'x'."]


def test_a_class_of_one_scan(check, tmp_path):
    class_folders(tmp_path)
    picture(tmp_path / "Rare" / "one.png", 99)
    code, document, err = check(tmp_path, "--modality", "xray")
    assert code == 4 and "to mend before a run" in err and "data check" in document["next"]
    assert said(document, "refused") == ["xray, class 'Rare': 1 scan of 1 patient, too few for train, validation and test."]
    words = ("--label", "Fibrosis=Fibrosis", "--label", "Healthy=Healthy")
    code, document, _ = check(tmp_path, "--modality", "xray", *words)
    assert code == 0 and document["classes"] == ["Fibrosis", "Healthy"]


@pytest.mark.posix
def test_names_that_differ_in_case(check, tmp_path):
    code, document, _ = check(class_folders(tmp_path, ("TB", "tb", "other")), "--modality", "xray")
    assert code == 4 and any("differ in case" in line for line in said(document, "refused"))


def test_four_classes_of_xrays_and_two_of_ct(check, tmp_path):
    class_folders(tmp_path, tuple("ABCD"), 5, FOUR[:2])
    for part in FOUR[2:]:
        for number, label in enumerate("AABBAABBAABB"):
            picture(tmp_path / part / label / f"{number}.png", 1000 + number + 50 * FOUR.index(part))
    code, document, _ = check(tmp_path)
    assert code == 4 and any("different classes (ct: A, B; xray: A, B, C, D)" in line for line in said(document, "refused"))
    assert check(tmp_path, "--modality", "xray")[0] == 0


def test_copies_and_patients_on_two_sides_and_files_that_cannot_be_read(check, tmp_path):
    class_folders(tmp_path, scans=12, parts=("train", "test"))
    copied(tmp_path / "train/Fibrosis/Fib0.png", tmp_path / "test/Fibrosis/copy.png")
    copied(tmp_path / "train/Fibrosis/Fib1.png", tmp_path / "train/Healthy/copy.png")
    (tmp_path / "train/Healthy/Hea3.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    rows = ["image,patient_id", "train/Healthy/Hea1.png,P-07", "test/Healthy/Hea1.png,p7",
            "train/Healthy/Hea2.png,Q", "test/Healthy/Hea2.png,Q"]  # fmt: skip
    (tmp_path / "patients.csv").write_text("\n".join(rows) + "\n")
    code, document, _ = check(tmp_path, "--modality", "xray")
    refused, warned = " ".join(said(document, "refused")), " ".join(said(document, "warned"))
    assert code == 4 and "1 patient is on more than one side of the split (first: Q" in refused
    assert "1 image is on more than one side of the split with identical pixels" in refused
    assert "P-07 = p7" in warned and "1 picture is there under two classes" in warned and "1 scan cannot be read" in warned
    assert document["patients"]["told_by"] == "patients.csv" and document["patients"]["known"] == 3


@pytest.mark.parametrize(("column", "word"), [("split", "trian"), ("modality", "mri")])
def test_a_word_of_a_list_that_means_nothing(check, tmp_path, column, word):
    code, _, err = check(listed(tmp_path, **{column: lambda n: word}))
    assert code == 4 and f"{column} is {word!r}" in err


def test_words_for_people(command, tmp_path):
    code, out, _ = command("data", "check", class_folders(tmp_path, ("a, b", "Entzündung")), "--quiet", "--modality", "xray")
    assert code == 0 and "taken for a folder for each class" in out and "Classes: Entzündung, a, b" in out
    assert "patients unknown" in out and "Next: " in out


@pytest.mark.parametrize("words", [("X",), ("=X",), ("X=",), ("X=a", "--label", "X=b")])
def test_a_label_that_is_no_pair_is_refused(check, tmp_path, words):
    assert check(class_folders(tmp_path), "--label", *words)[0] == 2


def test_the_sheet_of_two_named_files(command, tmp_path):
    for name in ("xray", "ct"):
        picture(tmp_path / f"{name}.png", len(name))
    before = contents(tmp_path)
    code, out, _ = command("data", "sheet", "--xray", tmp_path / "xray.png", "--ct", tmp_path / "ct.png", "--out", tmp_path / "o")
    assert code == 0 and len(out.splitlines()) == 5
    assert sorted(path.name for path in (tmp_path / "o").iterdir())[0] == "sample_sheet_blur.png"
    code, _, _ = command("data", "sheet", "--ct", tmp_path / "ct.png", "--out", tmp_path / "one.png")
    heights = [cv2.imread(str(tmp_path / name)).shape[0] for name in ("one.png", "o/sample_sheet_histogram.png")]
    assert code == 0 and heights[0] > heights[1]
    code, _, err = command("data", "sheet", "--ct", tmp_path / "ct.png", "--out", tmp_path / "ct.png")
    assert code == 2 and "overwrite its own source" in err
    assert command("data", "sheet", "--out", tmp_path / "x")[0] == 2
    assert {name: data for name, data in contents(tmp_path).items() if name in before} == before
