"""The customer's four folders: `X_Ray_Train`, `X_Ray_Test`, `CT_Scan_Train`, `CT_Scan_Test`, by class
inside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.data.folder_walk import FolderWalk
from pipeline.data.layouts.patient_table import read_patient_table
from pipeline.data.layouts.scan_files import class_scans, refuse_missing_folder
from pipeline.data.scans import CLASS_NAMES, CT, TEST, TRAIN, VALID, XRAY, Scan, Warn, warn_python
from pipeline.engine.errors import DataError, did_you_mean

FOLDERS: dict[str, tuple[str, str]] = {
    "X_Ray_Train": (XRAY, TRAIN),
    "X_Ray_Test": (XRAY, TEST),
    "CT_Scan_Train": (CT, TRAIN),
    "CT_Scan_Test": (CT, TEST),
}
OPTIONAL_FOLDERS: dict[str, tuple[str, str]] = {
    "X_Ray_Valid": (XRAY, VALID),
    "CT_Scan_Valid": (CT, VALID),
}
_IMAGE_COLUMNS = ("image", "path", "file", "filename")
_PATIENT_COLUMNS = ("patient_id", "patient")


def has_respiratory_folders(root: Path) -> bool:
    """Whether any of the four folders lies in `root`: then it is meant as this layout."""
    return any((root / name).is_dir() for name in FOLDERS)


def read_respiratory_folders(root: Path, warn: Warn = warn_python) -> list[Scan]:
    """Every scan of the four folders (and of `X_Ray_Valid`, `CT_Scan_Valid` where they exist), sorted by id.

    Each folder holds `COVID/` and `Non_COVID/`; sub folders are read too, other files are passed over.
    Patient ids and sources: see `read_patient_table`; its columns may be called `path`, `file`, `filename` and `patient` too.

    Raises DataError: no such folder (did-you-mean), an empty class folder, one class only.
    """
    refuse_missing_folder(root, "X_Ray_Train and the others")
    patients, walk = read_patient_table(root, _IMAGE_COLUMNS, _PATIENT_COLUMNS), FolderWalk(root)
    scans: list[Scan] = []
    for name, (modality, split) in (FOLDERS | OPTIONAL_FOLDERS).items():
        if name in OPTIONAL_FOLDERS and not (root / name).is_dir():
            continue
        folder = _existing(root, name)
        _refuse_other_classes(walk.subfolders(folder))
        for label in CLASS_NAMES:
            scans += class_scans(_existing(folder, label), walk, modality, split)
    walk.tell(warn)
    scans = patients.applied_to(scans, root, warn, tell_empty=True)
    return sorted(scans, key=lambda scan: scan.id)


def _existing(parent: Path, name: str) -> Path:
    """`parent/name`; matched to the letter, so that a data set works alike on every file system."""
    present = sorted(entry.name for entry in parent.iterdir() if entry.is_dir())
    if name in present:
        return parent / name
    inside = next((sub for sub in present if (parent / sub / name).is_dir()), None)
    hint = (
        f" It is in {parent / inside}: give that."
        if inside
        else did_you_mean(name, present) or _by_letters(name, present)
    )
    raise DataError(
        f"{parent}: no folder {name!r}." + hint,
        "Folders needed: X_Ray_Train, X_Ray_Test, CT_Scan_Train, CT_Scan_Test, "
        "each with COVID/ and Non_COVID/.",
    )


def _by_letters(name: str, present: list[str]) -> str:
    """A near miss in case, blanks and dashes only (`non-covid`), which an edit distance may not find."""
    alike = [other for other in present if _letters(other) == _letters(name)]
    return f" Did you mean {alike[0]!r}?" if alike else ""


def _letters(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _refuse_other_classes(folders: Sequence[Path]) -> None:
    others = [folder for folder in folders if folder.name not in CLASS_NAMES]
    if others and len(folders) - len(others) == len(CLASS_NAMES):
        raise DataError(
            f"{others[0].parent}: unexpected folder {others[0].name!r} beside COVID/ and Non_COVID/.",
            "Move its scans into one of the two, or move it away.",
        )
