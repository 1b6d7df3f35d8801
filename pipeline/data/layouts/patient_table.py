"""The patients' table of a data folder: which image is of which patient, and from which source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize

from pipeline.data.csv_rows import read_rows, require_columns, write_rows
from pipeline.engine.errors import DataError

PATIENT_TABLES = ("patients.csv", "manifest.csv")
IMAGE, PATIENT, SOURCE, FROM = "image", "patient_id", "source", "from"


class ToldPatient(NamedTuple):
    """What the table tells of an image, "" where it tells nothing."""

    patient_id: str = ""
    source: str = ""


class PatientTable:
    """Patients and sources by image; empty, and false, where the folder has no table."""

    def __init__(self, told: dict[str, ToldPatient]) -> None:
        self._told = told

    def __len__(self) -> int:
        return len(self._told)

    def of(self, image: str) -> ToldPatient:
        """What is told of an image by its path below the folder, with forward slashes, however its accents are encoded."""
        return self._told.get(_key(image), ToldPatient())


def read_patient_table(
    root: Path, image_columns: Sequence[str] = (IMAGE,), patient_columns: Sequence[str] = (PATIENT,)
) -> PatientTable:
    """The first of PATIENT_TABLES in `root`: columns image (a path relative to `root`), patient_id and, if there is one, source.

    image_columns, patient_columns: the names that the two columns may have, the first that is there counts.

    Raises DataError: no such column (did-you-mean), or an image that stands there twice with two patients.
    """
    path = next((root / name for name in PATIENT_TABLES if (root / name).is_file()), None)
    if path is None:
        return PatientTable({})
    rows = read_rows(path)
    image, patient = (
        next((name for name in names if name in rows[0]), names[0]) for names in (image_columns, patient_columns)
    )
    require_columns(path, rows, image, patient)
    told: dict[str, ToldPatient] = {}
    for row in filter(itemgetter(image), rows):
        found, known = ToldPatient(row[patient], row.get(SOURCE, "")), told.get(_key(row[image]), ToldPatient())
        if "" != known.patient_id != found.patient_id != "":
            raise DataError(
                f"{path}: {row[image]} is of patient {known.patient_id!r} and of patient {found.patient_id!r}.", "Keep one row."
            )
        told[_key(row[image])] = found if found.patient_id else ToldPatient(known.patient_id, found.source or known.source)
    return PatientTable(told)


def write_patient_table(folder: Path, rows: Iterable[tuple[str, str, str, str]]) -> None:
    """Write the table of a folder that is made: rows of image, patient id, source and the id that the image had before."""
    write_rows(folder / PATIENT_TABLES[0], (IMAGE, PATIENT, SOURCE, FROM), sorted(rows))


def _key(image: str) -> str:
    return normalize("NFC", Path(image).as_posix())
