"""Scans in a folder for each class: `{class}/`, or `{train,val,test}/{class}/`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.data.csv_rows import read_rows
from pipeline.data.layouts.kermany_names import read_kermany_name
from pipeline.data.layouts.respiratory_folders import PATIENT_TABLES
from pipeline.data.reading.gray_reader import SUFFIXES
from pipeline.data.scans import TEST, TRAIN, VALID, XRAY, Scan, Warn, warn_python
from pipeline.engine.errors import DataError, did_you_mean

SPLIT_FOLDERS: Mapping[str, str] = {
    "train": TRAIN, "training": TRAIN, "val": VALID, "valid": VALID, "validation": VALID, "test": TEST, "testing": TEST,
}  # fmt: skip
IMAGES, MASKS = "images", "masks"


def read_class_folders(root: Path, warn: Warn = warn_python, modality: str = XRAY) -> list[Scan]:
    """Every scan of the class folders below `root`, sorted by id; files that are no scans are passed over.

    Where `train` or `test` lies in `root`, the folders are splits (`val`, `valid` and `validation` are one) and the
    classes lie inside; anything else beside them is left out, and said. A class is a folder's name; where an `images`
    folder lies in it, only that is read. Patient ids and
    sources come from `patients.csv` or `manifest.csv` in `root` (columns image, patient_id, and source if there is
    one), else off Kermany's file names. A mask is `masks/<path of the scan>.png`, where it is there.

    Raises DataError: no such folder, no class folder (did-you-mean for a split), an empty one, or one class only.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder.", "Give --data the folder that holds the class folders.")
    places = _class_places(root, warn)
    told = _told_patients(root)
    scans = [
        scan
        for split, folder in places
        for path in _scans_below(folder)
        if (scan := _scan(path, root, folder.name, split, modality, told))
    ]
    classes = sorted({scan.label for scan in scans})
    if len(classes) < 2:
        raise DataError(f"{root}: only the class {classes[0]!r}.", "Two classes or more are needed, a folder each.")
    unknown = sum(not scan.patient_id for scan in scans)
    if unknown:
        warn(f"{root}: {unknown} of {len(scans)} scans have no patient id; each counts as a patient.")
    return sorted(scans, key=lambda scan: scan.id)


def split_folders(root: Path) -> dict[str, Path]:
    """{split: folder} of `train`, `val` and `test` in a folder, however they are spelt; {} where there is neither train
    nor test. Raises DataError where one split has two folders."""
    found: dict[str, Path] = {}
    for folder in _folders(root):
        split = SPLIT_FOLDERS.get(folder.name.lower())
        if split and split in found:
            raise DataError(f"{root}: {found[split].name} and {folder.name} are both {split}.", "Leave one of them.")
        if split:
            found[split] = folder
    return found if TRAIN in found or TEST in found else {}


def _class_places(root: Path, warn: Warn) -> list[tuple[str, Path]]:
    """(split, class folder), the split "" where the folders name none."""
    splits = split_folders(root)
    folders = [folder for folder in _folders(root) if folder.name != MASKS]
    if splits:
        others = sorted(folder.name for folder in folders if folder not in splits.values())
        if others:
            warn(f"{root}: left out, beside the split's folders: {', '.join(others)}.")
        places = [(split, inner) for split, folder in splits.items() for inner in _folders(folder)]
    else:
        places = [("", folder) for folder in folders]
    if not places:
        raise DataError(f"{root}: holds no class folder.", "Lay the scans out as {class}/ or {train,val,test}/{class}/.")
    return places


def _folders(parent: Path) -> list[Path]:
    return sorted(entry for entry in parent.iterdir() if entry.is_dir() and not entry.name.startswith((".", "__")))


def _scans_below(folder: Path) -> list[Path]:
    inner = folder / IMAGES
    found = sorted(
        path
        for path in (inner if inner.is_dir() else folder).rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
    if not found:
        raise DataError(f"{folder}: no scans in this class folder.", f"Put {', '.join(sorted(SUFFIXES))} files there.")
    return found


def _scan(path: Path, root: Path, label: str, split: str, modality: str, told: Mapping[str, tuple[str, str]]) -> Scan:
    key = path.relative_to(root).as_posix()
    patient, source = told.get(key, ("", ""))
    if not told and (name := read_kermany_name(path.stem)):
        patient = name.person
    mask = (root / MASKS / path.relative_to(root)).with_suffix(".png")
    return Scan(key, path, modality, label, patient, split, source, mask if mask.is_file() else None)


def _told_patients(root: Path) -> dict[str, tuple[str, str]]:
    """{image: (patient, source)} of the table beside the folders; {} where there is none."""
    path = next((root / name for name in PATIENT_TABLES if (root / name).is_file()), None)
    rows = read_rows(path) if path is not None else []
    for column in ("image", "patient_id") if rows else ():
        if column not in rows[0]:
            near = did_you_mean(column, rows[0])
            raise DataError(f"{path}: no column {column!r}.{near}", f"Its columns: {', '.join(rows[0])}.")
    return {Path(row["image"]).as_posix(): (row["patient_id"], row.get("source", "")) for row in rows}
