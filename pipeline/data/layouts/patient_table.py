"""The patients' table of a data folder: which image is of which patient, and from which source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from operator import itemgetter
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pipeline.data.csv_rows import read_rows, require_columns, write_rows
from pipeline.data.image_paths import normal_path
from pipeline.data.patient_ids import known_patient
from pipeline.data.scans import Scan, Warn
from pipeline.engine.errors import DataError
from pipeline.engine.listing import listed

MANIFEST = "manifest.csv"
PATIENT_TABLES = ("patients.csv", MANIFEST)
IMAGE, PATIENT, SOURCE, FROM = "image", "patient_id", "source", "from"


class ToldPatient(NamedTuple):
    """What the table tells of an image, "" where it tells nothing."""

    patient_id: str = ""
    source: str = ""


class PatientTable:
    """Patients and sources by image; empty, and false, where the folder has no table."""

    def __init__(self, path: Path | None, told: dict[str, ToldPatient]) -> None:
        self.path, self._told = path, told

    def __len__(self) -> int:
        return len(self._told)

    def match(self, images: Sequence[str]) -> dict[str, ToldPatient]:
        """What is told of each image, by its path below the folder; those of which nothing is told are left out.

        A row is of an image where their paths agree (separators and accents however they are written) or one is the end of
        the other (absolute paths, other roots), then where they do without their suffixes, then by the file's name, then by
        its name without suffix. Each step asks only what the ones before left, and takes a row and an image only where no
        other has the same key.
        """
        rows = {key: PurePosixPath(key).parts for key in self._told}
        paths = {image: PurePosixPath(normal_path(image)).parts for image in images}
        found: dict[str, ToldPatient] = {}
        for pairs, key in (
            (_of_one_key, _whole), (_of_one_end, _whole), (_of_one_key, _bare), (_of_one_end, _bare), (_of_one_key, _name),
            (_of_one_key, _stem),
        ):  # fmt: skip
            for image, row in pairs(_keyed(paths, key), _keyed(rows, key), set(found)):
                found[image] = self._told[row]
                rows.pop(row)
        return found

    def applied_to(self, scans: Sequence[Scan], root: Path, warn: Warn, tell_empty: bool = False) -> list[Scan]:
        """The scans with what the table tells of them; as they are where there is no table.

        warn: told how many scans have no id there, and which of them the table does not name; with `tell_empty`, of those
        that it names without an id too. Raises DataError where it names none of them.
        """
        if not self:
            return list(scans)
        told = self.match([scan.id for scan in scans])
        if scans and not told:
            raise DataError(
                f"{self.path}: none of its {len(self)} images is one of the {len(scans)} scans below {root} "
                f"(its first: {next(iter(self._told))}; the folder's: {scans[0].id}).",
                "Write the images' paths as they lie below the folder, or take the table away.",
            )
        unknown = sum(not (scan.id in told and told[scan.id].patient_id) for scan in scans)
        unnamed = [scan.id for scan in scans if scan.id not in told]
        if unnamed or (unknown and tell_empty):
            which = f" ({len(unnamed)} are not in the table, or not told apart there: {listed(unnamed)})" if unnamed else ""
            warn(f"{self.path}: {unknown} of {len(scans)} scans have no patient id there; each counts as a patient{which}.")
        empty = ToldPatient()
        return [
            replace(scan, patient_id=mine.patient_id, source=mine.source)
            for scan in scans for mine in (told.get(scan.id, empty),)
        ]  # fmt: skip


def patient_table_in(root: Path) -> Path | None:
    """The first of PATIENT_TABLES in a folder, in whatever case its name is written; None where there is none."""
    there = sorted(path for path in root.iterdir() if path.suffix.lower() == ".csv") if root.is_dir() else []
    alike = (path for name in PATIENT_TABLES for path in (root / name, *there) if path.name.lower() == name and path.is_file())
    return next(alike, None)


def read_patient_table(
    root: Path, image_columns: Sequence[str] = (IMAGE,), patient_columns: Sequence[str] = (PATIENT,)
) -> PatientTable:
    """The table of `patient_table_in`: columns image (a path relative to `root`), patient_id and, if there is one, source.

    image_columns, patient_columns: the names that the two columns may have, the first that is there counts. Ids that are
    missing, however that is written, are "" (see `known_patient`).

    Raises DataError: no such column (did-you-mean), or an image that stands there twice with two patients.
    """
    path = patient_table_in(root)
    if path is None:
        return PatientTable(None, {})
    rows = read_rows(path)
    image, patient = (
        next((name for name in names if name in rows[0]), names[0]) for names in (image_columns, patient_columns)
    )
    require_columns(path, rows, image, patient)
    told: dict[str, ToldPatient] = {}
    for row in filter(itemgetter(image), rows):
        key = normal_path(row[image])
        found, known = ToldPatient(known_patient(row[patient]), row.get(SOURCE, "")), told.get(key, ToldPatient())
        if "" != known.patient_id != found.patient_id != "":
            raise DataError(
                f"{path}: {row[image]} is of patient {known.patient_id!r} and of patient {found.patient_id!r}.", "Keep one row."
            )
        told[key] = found if found.patient_id else ToldPatient(known.patient_id, found.source or known.source)
    return PatientTable(path, told)


def write_patient_table(folder: Path, rows: Iterable[tuple[str, str, str, str]]) -> None:
    """Write the table of a folder that is made: rows of image, patient id, source and the id that the image had before."""
    write_rows(folder / PATIENT_TABLES[0], (IMAGE, PATIENT, SOURCE, FROM), sorted(rows))


Parts = tuple[str, ...]


def _whole(parts: Parts) -> Parts:
    return parts


def _bare(parts: Parts) -> Parts:
    return (*parts[:-1], *_stem(parts))


def _name(parts: Parts) -> Parts:
    return parts[-1:]


def _stem(parts: Parts) -> Parts:
    return (PurePosixPath(parts[-1]).stem,) if parts else ()


def _keyed(paths: dict[str, Parts], key: Callable[[Parts], Parts]) -> dict[str, Parts]:
    return {name: key(parts) for name, parts in paths.items()}


def _of_one_key(images: dict[str, Parts], rows: dict[str, Parts], done: set[str]) -> list[tuple[str, str]]:
    """(image, row) that have one key which no other image and no other row has."""
    by_image, by_row = _grouped(images), _grouped(rows)
    return [
        (mine[0], by_row[key][0])
        for key, mine in by_image.items()
        if len(mine) == 1 and mine[0] not in done and len(by_row.get(key, ())) == 1
    ]


def _of_one_end(images: dict[str, Parts], rows: dict[str, Parts], done: set[str]) -> list[tuple[str, str]]:
    """(image, row) of which one key is the end of the other, two names or more, and that of no other."""
    whole = _grouped(images)
    ends: dict[Parts, list[str]] = {}
    for image, parts in images.items():
        for start in range(1, len(parts) - 1):
            ends.setdefault(parts[start:], []).append(image)
    of_row = {
        row: {image for start in range(len(parts) - 1) for image in whole.get(parts[start:], ())} | set(ends.get(parts, ()))
        for row, parts in rows.items()
    }
    of_image: dict[str, list[str]] = {}
    for row, mine in of_row.items():
        for image in mine:
            of_image.setdefault(image, []).append(row)
    return [
        (image, found[0])
        for image, found in of_image.items()
        if image not in done and len(found) == 1 and len(of_row[found[0]]) == 1
    ]


def _grouped(paths: dict[str, Parts]) -> dict[Parts, list[str]]:
    groups: dict[Parts, list[str]] = {}
    for name, parts in paths.items():
        groups.setdefault(parts, []).append(name)
    return groups
