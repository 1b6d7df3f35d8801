"""Four folders, `X_Ray_Train`, `X_Ray_Test`, `CT_Scan_Train`, `CT_Scan_Test`, or the two of one modality: a folder for each
class inside, whatever the classes are called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.data.class_names import letters
from pipeline.data.folder_walk import FolderWalk
from pipeline.data.layouts.patient_table import read_patient_table
from pipeline.data.layouts.scan_files import class_scans, refuse_missing_folder
from pipeline.data.scans import CT, MODALITIES, TEST, TRAIN, VALID, XRAY, Scan, Warn, warn_python
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
NEEDED = (
    "Folders needed: X_Ray_Train and X_Ray_Test, CT_Scan_Train and CT_Scan_Test, or the two of one modality, "
    "each with a folder for every class."
)
_IMAGE_COLUMNS = ("image", "path", "file", "filename")
_PATIENT_COLUMNS = ("patient_id", "patient")


def has_respiratory_folders(root: Path) -> bool:
    """Whether any of the four folders lies in `root`: then it is meant as this layout."""
    return bool(modalities_there(root))


def modalities_there(root: Path) -> list[str]:
    """The modalities of which any of the four folders lies in `root`."""
    present = {modality for folder, (modality, _) in FOLDERS.items() if (root / folder).is_dir()}
    return [name for name in MODALITIES if name in present]


def read_respiratory_folders(root: Path, warn: Warn = warn_python, modalities: Sequence[str] = MODALITIES) -> list[Scan]:
    """Every scan of the folders of `modalities` (and of `X_Ray_Valid`, `CT_Scan_Valid` where they exist), sorted by id.

    A modality of which neither folder is there is not there. Classes are the folders inside, the same in all folders of a
    modality; sub folders of a class are read too, other files are passed over. Patient ids and sources: see
    `read_patient_table`; its columns may be called `path`, `file`, `filename` and `patient` too.

    Raises DataError: no such folder (did-you-mean), a class that one folder lacks, an empty class folder.
    """
    refuse_missing_folder(root, "X_Ray_Train and the others")
    patients, walk = read_patient_table(root, _IMAGE_COLUMNS, _PATIENT_COLUMNS), FolderWalk(root)
    scans: list[Scan] = []
    for modality in _present(root, modalities):
        folders = _folders_of(root, modality)
        classes = {name: [inner.name for inner in walk.subfolders(folder)] for name, folder in folders.items()}
        everywhere = sorted({label for found in classes.values() for label in found})
        if not everywhere:
            raise DataError(f"{next(iter(folders.values()))}: holds no class folder.", NEEDED)
        for name, folder in folders.items():
            split = (FOLDERS | OPTIONAL_FOLDERS)[name][1]
            walk.loose_scans(folder)
            for label in everywhere:
                where = [other for other, found in classes.items() if label in found]
                scans += class_scans(_class_folder(folder, label, where), walk, modality, split)
    walk.tell(warn)
    scans = patients.applied_to(scans, root, warn, tell_empty=True)
    return sorted(scans, key=lambda scan: scan.id)


def _present(root: Path, modalities: Sequence[str]) -> list[str]:
    """The modalities of which a folder is there. Raises DataError where none is, or a near miss of one that lacks is."""
    names = _names(root)
    found = [modality for modality in modalities if any(FOLDERS[name][0] == modality for name in FOLDERS if name in names)]
    for name, (modality, _) in FOLDERS.items():
        if modality in modalities and modality not in found and (_near(name, names) or not found):
            _existing(root, name)
    return found


def _folders_of(root: Path, modality: str) -> dict[str, Path]:
    needed = [name for name, (mine, _) in FOLDERS.items() if mine == modality]
    optional = [name for name, (mine, _) in OPTIONAL_FOLDERS.items() if mine == modality and (root / name).is_dir()]
    return {name: _existing(root, name) for name in (*needed, *optional)}


def _existing(parent: Path, name: str) -> Path:
    """`parent/name`; matched to the letter, so that a data set works alike on every file system."""
    present = _names(parent)
    if name in present:
        return parent / name
    inside = next((sub for sub in present if (parent / sub / name).is_dir()), None)
    hint = f" It is in {parent / inside}: give that." if inside else _near(name, present)
    raise DataError(f"{parent}: no folder {name!r}.{hint}", NEEDED)


def _class_folder(folder: Path, label: str, others: Sequence[str]) -> Path:
    present = _names(folder)
    if label in present:
        return folder / label
    raise DataError(
        f"{folder}: no folder {label!r}, which is a class in {' and '.join(others)}.{_near(label, present)}",
        "Every class needs a folder in each part: add it, give both one name, or move the other away.",
    )


def _names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir())


def _near(name: str, present: Sequence[str]) -> str:
    """A near miss: first in case, blanks and dashes only (`non-covid`), which an edit distance may not find."""
    others = [other for other in present if other not in FOLDERS]
    alike = [other for other in others if letters(other) == letters(name)]
    return f" Did you mean {alike[0]!r}?" if alike else did_you_mean(name, others)
