"""What every layout of class folders shares: which files are scans, whose they are, and what is refused."""

from __future__ import annotations

from pathlib import Path

from pipeline.data.layouts.patient_table import PatientTable
from pipeline.data.reading.gray_reader import SUFFIXES
from pipeline.data.scans import Scan
from pipeline.engine.errors import DataError


def subfolders(parent: Path) -> list[Path]:
    """The folders in `parent`, sorted, without hidden ones and those of programs (`__MACOSX`)."""
    return sorted(entry for entry in parent.iterdir() if entry.is_dir() and not entry.name.startswith((".", "__")))


def scan_files(folder: Path, missing: str = "") -> list[Path]:
    """Every file below `folder` whose name ends as a scan's does, sorted; [] where `folder` is not there.

    missing: what is missing where there is none: then DataError says so instead.
    """
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
    if missing and not found:
        raise DataError(f"{folder}: {missing}.", f"Put {', '.join(sorted(SUFFIXES))} files there, or take the folder away.")
    return found


def class_scans(folder: Path, root: Path, told: PatientTable, modality: str, split: str = "", label: str = "") -> list[Scan]:
    """The scans below a class folder of the data folder `root`, with what its patients' table tells of them.

    label: the folder's name where it is not said. Raises DataError where there is none.
    """
    scans = []
    for path in scan_files(folder, missing="no scans in this class folder"):
        key = path.relative_to(root).as_posix()
        patient, source = told.of(key)
        scans.append(Scan(key, path, modality, label or folder.name, patient, split, source))
    return scans


def refuse_missing_folder(root: Path, holds: str) -> None:
    """Raise DataError where `root` is no folder. holds: what --data is to hold."""
    if not root.is_dir():
        raise DataError(f"{root}: no such folder.", f"Give --data the folder that holds {holds}.")


def refuse_lone_class(root: Path, classes: set[str]) -> None:
    """Raise DataError where the folders below `root` are of one class only."""
    if len(classes) < 2:
        raise DataError(f"{root}: only the class {min(classes, default='')!r}.", "Two classes or more are needed, a folder each.")
