"""The patients' table: found by any spelling of a path, whatever it holds, and refused where it contradicts itself."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.layouts.patient_table import ToldPatient, read_patient_table, write_patient_table
from pipeline.data.scans import Scan
from pipeline.engine.errors import DataError

# Letters of several scripts, combining accents too, blanks and signs inside; what a CSV reader strips stands nowhere.
NAMES = st.text(st.characters(categories=("L", "N", "M"), include_characters=" -_.,;\"'"), min_size=1, max_size=12).map(
    lambda text: f"a{text}z"
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


def write(folder: Path, rows: list[dict[str, str]], name: str = "patients.csv") -> None:
    with (folder / name).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def told_of(table, image: str) -> ToldPatient:
    return table.match([image]).get(image, ToldPatient())


CELLS = NAMES | st.just("")
# On a loaded machine a file may take any time: no deadline.
quick = settings(deadline=None, max_examples=40)


@quick
@given(st.dictionaries(PATHS.map(lambda path: normalize("NFC", path)), st.tuples(CELLS, CELLS), min_size=1))
def test_what_is_written_is_told(told):
    with tempfile.TemporaryDirectory() as folder:
        write_patient_table(Path(folder), [(image, patient, source, "") for image, (patient, source) in told.items()])
        table = read_patient_table(Path(folder))
    assert len(table) == len(told) and table
    assert {image: tuple(patient) for image, patient in table.match(list(told)).items()} == told
    assert table.match(["not/there.png"]) == {}


@quick
@given(PATHS, NAMES, st.sampled_from(("NFC", "NFD")), st.sampled_from(("NFC", "NFD")), st.sampled_from(("", "./", ".//")))
def test_accents_and_dots_do_not_hide_a_patient(path, patient, written, asked, before):
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), [{"image": before + normalize(written, path), "patient_id": patient}])
        assert told_of(read_patient_table(Path(folder)), normalize(asked, path)).patient_id == patient


@quick
@given(PATHS, NAMES, NAMES, st.booleans())
def test_an_image_of_two_patients_is_refused_and_an_empty_cell_gives_way(path, first, second, swap):
    with tempfile.TemporaryDirectory() as folder:
        pair = [(first, "a"), ("", "b")][:: -1 if swap else 1]
        write(Path(folder), [{"image": path, "patient_id": patient, "source": source} for patient, source in pair])
        assert told_of(read_patient_table(Path(folder)), path).patient_id == first
        write(Path(folder), [{"image": path, "patient_id": patient} for patient in (first, second)])
        if first == second:
            assert told_of(read_patient_table(Path(folder)), path).patient_id == first
        else:
            with pytest.raises(DataError, match="is of patient .* and of patient"):
                read_patient_table(Path(folder))


def test_rows_without_an_image_tell_nothing(tmp_path):
    write(tmp_path, [{"image": "", "patient_id": "1"}, {"image": "", "patient_id": "2"}, {"image": "a.png", "patient_id": "3"}])
    table = read_patient_table(tmp_path)
    assert len(table) == 1 and told_of(table, "").patient_id == "" and told_of(table, "a.png").patient_id == "3"


def test_patients_go_before_the_manifest_and_no_table_tells_nothing(tmp_path):
    assert not read_patient_table(tmp_path)
    write(tmp_path, [{"image": "a.png", "patient_id": "of the manifest"}], "manifest.csv")
    assert told_of(read_patient_table(tmp_path), "a.png").patient_id == "of the manifest"
    write(tmp_path, [{"image": "a.png", "patient_id": "0012"}])
    assert told_of(read_patient_table(tmp_path), "a.png").patient_id == "0012"


def test_columns_by_other_names_are_read_only_where_they_are_named(tmp_path):
    write(tmp_path, [{"file": "a.png", "patient": "7"}])
    assert told_of(read_patient_table(tmp_path, ("image", "file"), ("patient_id", "patient")), "a.png").patient_id == "7"
    with pytest.raises(DataError, match="no column 'image'"):
        read_patient_table(tmp_path)


IMAGES = [f"X_Ray_{part}/COVID/{number}.png" for part in ("Train", "Test") for number in range(4)]
SPELT = {
    "Windows separators": lambda path: path.replace("/", "\\"),
    "absolute": lambda path: f"/mnt/old/data/{path}",
    "absolute, Windows": lambda path: "D:\\scans\\" + path.replace("/", "\\"),
    "another suffix": lambda path: path.replace(".png", ".JPG"),
    "absolute, another suffix": lambda path: f"/mnt/old/data/{path.replace('.png', '.dcm')}",
    "below another folder": lambda path: f"archive/{path}",
    "decomposed": lambda path: normalize("NFD", path),
}


@pytest.mark.parametrize("way", SPELT)
def test_every_image_is_found_however_its_path_is_written(tmp_path, way):
    images = [image.replace("COVID", "Größe") for image in IMAGES]
    # The same names in both parts and classes: a name alone would be ambiguous.
    write(tmp_path, [{"image": SPELT[way](image), "patient_id": f"p{n}"} for n, image in enumerate(images)])
    found = read_patient_table(tmp_path).match(images)
    assert {image: told.patient_id for image, told in found.items()} == {image: f"p{n}" for n, image in enumerate(images)}


@pytest.mark.parametrize("row", ["a.png", "elsewhere/a.png", "a.jpg", "/abs/a.dcm", "a"])
def test_names_and_stems_that_are_of_one_image_alone(tmp_path, row):
    write(tmp_path, [{"image": row, "patient_id": "7"}])
    table = read_patient_table(tmp_path)
    assert told_of(table, "A/a.png").patient_id == "7"
    assert table.match(["A/a.png", "B/a.png"]) == {}
    assert set(table.match(["A/a.png", "B/b.png"])) == {"A/a.png"}


def test_a_row_that_is_of_an_image_by_its_path_is_of_no_other_by_its_name(tmp_path):
    write(tmp_path, [{"image": "A/a.png", "patient_id": "7"}])
    assert set(read_patient_table(tmp_path).match(["A/a.png", "B/a.png", "B/a.jpg"])) == {"A/a.png"}


def test_an_end_that_fits_two_is_of_none(tmp_path):
    write(tmp_path, [{"image": f"/d/{part}/A/a.png", "patient_id": part} for part in ("train", "test")])
    assert read_patient_table(tmp_path).match(["A/a.png"]) == {}
    write(tmp_path, [{"image": "A/a.png", "patient_id": "7"}])
    assert read_patient_table(tmp_path).match(["X/A/a.png", "Y/A/a.png"]) == {}


@pytest.mark.parametrize("rows", [("a\\b.png", "a/b.png"), ("caf\u00e9.png", "cafe\u0301.png"), ("./a.png", "a.png")])
def test_two_patients_of_one_image_are_refused_however_it_is_written(tmp_path, rows):
    write(tmp_path, [{"image": image, "patient_id": f"p{n}"} for n, image in enumerate(rows)])
    with pytest.raises(DataError, match="is of patient 'p0' and of patient 'p1'"):
        read_patient_table(tmp_path)


def test_a_table_of_other_images_is_refused_and_one_of_some_says_which(tmp_path):
    scans = [Scan(f"A/{number}.png", tmp_path, "xray", "A") for number in range(8)]
    write(tmp_path, [{"image": f"other{number}.png", "patient_id": "7"} for number in range(3)])
    with pytest.raises(DataError, match=r"none of its 3 images is one of the 8 .*first: other0\.png; the folder's: A/0\.png"):
        read_patient_table(tmp_path).applied_to(scans, tmp_path, lambda _: None)
    write(tmp_path, [{"image": f"A/{number}.png", "patient_id": word} for number, word in enumerate(("p", "NA", "?"))])
    told: list[str] = []
    found = read_patient_table(tmp_path).applied_to(scans, tmp_path, told.append)
    assert [scan.patient_id for scan in found] == ["p"] + [""] * 7
    assert told == [f"{tmp_path / 'patients.csv'}: 7 of 8 scans have no patient id there; each counts as a patient (5 are not in "
                    "the table, or not told apart there: A/3.png, A/4.png, A/5.png, A/6.png, A/7.png)."]  # fmt: skip


@quick
@given(st.sets(PATHS.map(lambda path: normalize("NFC", path)), min_size=1, max_size=8), st.sampled_from(sorted(SPELT)), st.data())
def test_no_image_is_ever_given_another_ones_patient(paths, way, data):
    """Whatever of the images the table names, and however: what is told is right, or nothing."""
    images = sorted(f"{path}.png" for path in paths)
    named = data.draw(st.sets(st.sampled_from(images)))
    with tempfile.TemporaryDirectory() as folder:
        rows = [{"image": SPELT[way](image), "patient_id": image} for image in sorted(named)]
        write(Path(folder), rows or [{"image": "", "patient_id": ""}])
        found = read_patient_table(Path(folder)).match(images)
    for image, told in found.items():
        # Without the images that it names, a name alone may fit a row of an image that is not there; here all are there.
        assert image not in named or told.patient_id == image
