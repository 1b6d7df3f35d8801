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
