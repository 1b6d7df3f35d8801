"""The four folders, and what a manifest's selection makes of its rows."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.data.layouts.data_source import DataSource, read_scans
from pipeline.data.layouts.manifest_selection import ManifestSelection, read_selected_scans
from pipeline.data.layouts.respiratory_folders import FOLDERS, read_respiratory_folders
from pipeline.data.layouts.unsorted_scans import read_any_folder
from pipeline.data.scans import CLASS_NAMES
from pipeline.engine.errors import DataError

REAL = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
needs_real_data = pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data is absent")


@pytest.fixture
def four_folders(tmp_path: Path) -> Path:
    """Two empty files in each class folder: layouts never open a scan."""
    for folder in FOLDERS:
        for label in CLASS_NAMES:
            place = tmp_path / folder / label
            place.mkdir(parents=True)
            for name in ("b.png", "a.JPG"):
                (place / name).touch()
    return tmp_path


def write_csv(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_folders_give_modality_label_and_split(four_folders: Path) -> None:
    (four_folders / "X_Ray_Train" / "COVID" / "notes.txt").touch()
    (four_folders / "X_Ray_Train" / "COVID" / ".hidden.png").touch()
    scans = read_respiratory_folders(four_folders)
    assert len(scans) == 16 == len({scan.id for scan in scans})
    assert [scan.id for scan in scans] == sorted(scan.id for scan in scans)
    first = scans[0]
    assert (first.id, first.modality, first.label, first.split) == (
        "CT_Scan_Test/COVID/a.JPG",
        "ct",
        "COVID",
        "test",
    )
    assert first.patient_id == "" and first.path.is_file()


def test_patients_and_sources_come_from_the_table(four_folders: Path) -> None:
    write_csv(
        four_folders / "patients.csv",
        [{"image": "X_Ray_Train/COVID/a.JPG", "patient_id": "0012", "source": "site B"}],
    )
    heard: list[str] = []
    scans = {scan.id: scan for scan in read_respiratory_folders(four_folders, heard.append)}
    known = scans["X_Ray_Train/COVID/a.JPG"]
    assert (known.patient_id, known.source) == ("0012", "site B")
    assert len(heard) == 1 and "15 of 16" in heard[0]


def test_an_optional_validation_folder_is_read(four_folders: Path) -> None:
    for label in CLASS_NAMES:
        (four_folders / "CT_Scan_Valid" / label).mkdir(parents=True)
        (four_folders / "CT_Scan_Valid" / label / "v.png").touch()
    found = Counter(scan.split for scan in read_respiratory_folders(four_folders))
    assert found == {"train": 8, "test": 8, "valid": 2}


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("X_Ray_Test", "x_ray_test", "Did you mean 'x_ray_test'"),
        ("CT_Scan_Train", "CTScan-Train", "Did you mean 'CTScan-Train'"),
        ("X_Ray_Train/COVID", "X_Ray_Train/Covid", "Did you mean 'Covid'"),
        ("X_Ray_Train/Non_COVID", "X_Ray_Train/non-covid", "Did you mean 'non-covid'"),
    ],
)
def test_a_near_miss_is_named(four_folders: Path, old: str, new: str, hint: str) -> None:
    (four_folders / old).rename(four_folders / "moving")
    (four_folders / "moving").rename(four_folders / new)
    with pytest.raises(DataError) as caught:
        read_respiratory_folders(four_folders)
    assert Path(old).name in str(caught.value) and hint in str(caught.value)


def test_a_folder_too_high_is_told(four_folders: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    above = tmp_path_factory.mktemp("above")
    four_folders.rename(above / "scans")
    with pytest.raises(DataError, match="It is in .*scans: give that"):
        read_respiratory_folders(above)


def test_empty_and_additional_class_folders_are_refused(four_folders: Path) -> None:
    extra = four_folders / "X_Ray_Train" / "Maybe"
    extra.mkdir()
    (extra / "c.png").touch()
    with pytest.raises(DataError, match="X_Ray_Test: no folder 'Maybe', which is a class in X_Ray_Train"):
        read_respiratory_folders(four_folders)
    (extra / "c.png").unlink()
    extra.rmdir()
    for path in (four_folders / "CT_Scan_Test" / "COVID").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"CT_Scan_Test.COVID: no scans"):
        read_respiratory_folders(four_folders)


def test_a_table_without_its_columns_is_refused(four_folders: Path) -> None:
    write_csv(four_folders / "patients.csv", [{"images": "a", "patient_id": "1"}])
    with pytest.raises(DataError, match="no column 'image'.*Did you mean 'images'"):
        read_respiratory_folders(four_folders)


ROWS = [
    {"set": name, "image": f"{name}/{number}.png", "label": label, "patient_id": patient, "fold": fold}
    for number, (name, label, patient, fold) in enumerate(
        [
            ("ct", "POS", "p1", "Train"),
            ("ct", "NEG", "p2", "Valid"),
            ("ct", "NEG", "p3", "Test"),
            ("ct", "NEG", "p3", ""),
            ("ct", "NEG", "p2", ""),
            ("ct", "NEG", "p4", ""),
            ("film", "POS", "p5", ""),
            ("film", "OTHER_x", "p6", ""),
            ("film", "OTHER_y", "p7", ""),
            ("film", "unclear", "p8", ""),
        ]
    )
]
CT = ManifestSelection(
    sets={"ct": "ct"},
    labels={"POS": "COVID", "NEG": "Non_COVID"},
    split_column="fold",
    split_values={"Train": "train", "Valid": "valid", "Test": "test"},
)
FILM = ManifestSelection(sets={"film": "xray"}, labels={"POS": "COVID", "OTHER_*": "Non_COVID"})


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    for row in ROWS:
        (tmp_path / row["image"]).parent.mkdir(exist_ok=True)
        (tmp_path / row["image"]).touch()
    return write_csv(tmp_path / "manifest.csv", ROWS)


def test_rows_without_split_go_to_train_unless_their_patient_is_held_out(manifest: Path) -> None:
    heard: list[str] = []
    scans = read_selected_scans(manifest, manifest.parent, [CT], heard.append)
    assert [(scan.patient_id, scan.split) for scan in scans] == [
        ("p1", "train"),
        ("p2", "valid"),
        ("p3", "test"),
        ("p4", "train"),
    ]
    assert len(heard) == 1 and "1 go to train, 2 are left out" in heard[0]


def test_globs_select_and_name_classes(manifest: Path) -> None:
    heard: list[str] = []
    scans = read_selected_scans(manifest, manifest.parent, [FILM], heard.append)
    assert [(scan.label, scan.modality, scan.source, scan.split) for scan in scans] == [
        ("COVID", "xray", "film", ""),
        ("Non_COVID", "xray", "film", ""),
        ("Non_COVID", "xray", "film", ""),
    ]
    assert "1 rows of film" in heard[0]


def test_an_exact_label_wins_over_a_glob() -> None:
    chosen = ManifestSelection(sets={"a": "ct"}, labels={"*": "Non_COVID", "POS": "COVID"})
    assert (chosen.class_of("POS"), chosen.class_of("other")) == ("COVID", "Non_COVID")


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"sets": {"flim": "xray"}}, "no rows of set 'flim'. Did you mean 'film'"),
        ({"labels": {"POSS": "COVID"}}, "no label fits 'POSS'.* Did you mean 'POS'"),
        ({"label_column": "labels"}, "no column 'labels'. Did you mean 'label'"),
        ({"split_column": "folds"}, "no column 'folds'. Did you mean 'fold'"),
    ],
)
def test_names_that_are_not_there_are_refused(manifest: Path, change: dict, cause: str) -> None:
    wrong = ManifestSelection(**(FILM.model_dump() | change))
    with pytest.raises(DataError, match=cause):
        read_selected_scans(manifest, manifest.parent, [wrong], lambda message: None)


def test_a_split_word_without_meaning_is_refused(manifest: Path) -> None:
    wrong = CT.model_copy(update={"split_values": {"Train": "train", "Test": "test"}})
    with pytest.raises(DataError, match="fold is 'Valid'"):
        read_selected_scans(manifest, manifest.parent, [wrong], lambda message: None)


def test_double_selection_wrong_root_and_no_rows_are_refused(manifest: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="selected twice"):
        read_selected_scans(manifest, manifest.parent, [FILM, FILM], lambda message: None)
    with pytest.raises(DataError, match="none of its 3 selected images"):
        read_selected_scans(manifest, tmp_path / "elsewhere", [FILM], lambda message: None)
    (tmp_path / "empty.csv").write_text("set,image,label\n")
    with pytest.raises(DataError, match="no rows"):
        read_selected_scans(tmp_path / "empty.csv", tmp_path, [FILM])


def test_a_split_without_a_test_is_no_selection() -> None:
    with pytest.raises(ValidationError, match="names no test"):
        ManifestSelection(
            sets={"a": "ct"}, labels={"*": "COVID"}, split_column="s", split_values={"a": "train"}
        )


def test_a_manifest_without_a_selection_asks_for_one(manifest: Path) -> None:
    with pytest.raises(DataError, match="selects no rows"):
        read_scans(manifest.parent, DataSource(), 0)


def test_scans_of_any_folder(manifest: Path) -> None:
    below = read_any_folder(manifest.parent)
    assert len(below) == 10 and below[0].label == "ct"
    with pytest.raises(DataError, match="no such folder"):
        read_any_folder(manifest.parent / "absent")


@pytest.mark.realdata
@needs_real_data
def test_real_data_by_the_selection_of_the_configuration() -> None:
    others = {"NORMAL": "Non_COVID", "BACTERIAL": "Non_COVID", "VIRAL": "Non_COVID"}
    source = DataSource(
        selection=(
            ManifestSelection(sets={"cxr4": "xray"}, labels={"COVID": "COVID"} | others),
            ManifestSelection(sets={"cxr_nih": "xray"}, labels={"*": "Non_COVID"}),
            ManifestSelection(sets={"cxr_ieee_other": "xray"}, labels={"OTHER_*": "Non_COVID"}),
            ManifestSelection(
                sets={"ct_covidct": "ct"},
                labels={"COVID": "COVID", "NON_COVID": "Non_COVID"},
                split_column="jck_split",
                split_values={"TrainData": "train", "ValidData": "valid", "TestData": "test"},
            ),
        )
    )
    heard: list[str] = []
    scans = read_scans(REAL, source, 42, heard.append)
    assert Counter(scan.modality for scan in scans) == {"xray": 1932, "ct": 745}
    assert Counter(s.split for s in scans if s.modality == "ct") == {"train": 429, "valid": 118, "test": 198}
    assert any("55 go to train, 1 are left out" in message for message in heard)
    sides: dict[str, set[str]] = {}
    for scan in scans:
        sides.setdefault(scan.patient_id, set()).add(scan.split)
    assert all(len(found) == 1 for found in sides.values())
    films = Counter((s.source, s.label, s.split) for s in scans if s.modality == "xray")
    for (set_name, label), total in Counter(
        (s.source, s.label) for s in scans if s.modality == "xray"
    ).items():
        for split, share in (("train", 0.70), ("valid", 0.15), ("test", 0.15)):
            assert abs(films[(set_name, label, split)] - share * total) <= 3


@pytest.mark.parametrize(
    "write", [lambda path: path.replace("/", "\\"), lambda path: f"/old/{path}", lambda path: f"{path[:-4]}.dcm"]
)
def test_a_table_of_other_spellings_still_keeps_patients_on_one_side(tmp_path, write):
    """16 patients of 4 scans: found by none of its paths, they would be split by image."""
    rows = ["image,patient_id"]
    for number in range(64):
        place = f"{'AB'[number // 4 % 2]}/{number}.png"
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).touch()
        rows.append(f"{write(place)},p{number // 4}")
    (tmp_path / "patients.csv").write_text("\n".join(rows) + "\n")
    heard: list[str] = []
    scans = read_scans(tmp_path, DataSource(layout="class_folders"), 0, heard.append)
    assert heard == [] and len({scan.patient_id for scan in scans}) == 16
    assert len({(scan.patient_id, scan.split) for scan in scans}) == 16
