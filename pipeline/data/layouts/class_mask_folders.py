"""Scans with lung masks in a folder for each class: `{class}/images` and `{class}/masks`, matched by stem.

The layout of the COVID-19 Radiography Database (Chowdhury et al. 2020, Rahman et al. 2021).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.data.csv_rows import read_rows
from pipeline.data.layouts.respiratory_folders import PATIENT_TABLES
from pipeline.data.scans import XRAY, Scan, Warn, warn_python
from pipeline.engine.errors import DataError, did_you_mean

IMAGES, MASKS = "images", "masks"
SUFFIXES = (".png", ".jpg", ".jpeg")
NAMED_IN_WARNING = 3


def read_class_mask_folders(
    root: Path, warn: Warn = warn_python, classes: tuple[str, ...] | None = None, modality: str = XRAY
) -> list[Scan]:
    """Every scan of the class folders, sorted by id, with its mask where there is one.

    A class is a folder of `root` that holds `images/`; `masks/` may be missing, whole or in part. Where two masks have
    one stem, .png is taken before .jpg and .jpeg. A mask without a scan is warned of, a folder that is no class too.
    Patient ids and sources come from `patients.csv` or `manifest.csv` in `root` (columns image, patient_id, and source
    if there is one). classes: the folders that must be there; None for whatever is.

    Raises DataError: no such folder, a class folder missing or without `images/` (did-you-mean), an empty one, or one
    class only.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder.", "Give --data the folder that holds the class folders.")
    told = _patients(root)
    scans = [scan for folder in _class_folders(root, classes, warn) for scan in _class_scans(folder, root, modality, told, warn)]
    labels = sorted({scan.label for scan in scans})
    if len(labels) < 2:
        raise DataError(f"{root}: only the class {labels[0]!r}.", "Two classes or more are needed, a folder each.")
    return sorted(scans, key=lambda scan: scan.id)


def _class_folders(root: Path, classes: tuple[str, ...] | None, warn: Warn) -> list[Path]:
    present = {entry.name: entry for entry in sorted(root.iterdir()) if entry.is_dir() and not entry.name.startswith((".", "__"))}
    for name in classes or ():
        if name not in present:
            raise DataError(f"{root}: no class folder {name!r}.{did_you_mean(name, present)}",
                            f"Its folders: {', '.join(present) or 'none'}.")  # fmt: skip
    chosen = [folder for name, folder in present.items() if classes is None or name in classes]
    found, others = [], []
    for folder in chosen:
        inner = [entry.name for entry in folder.iterdir() if entry.is_dir()]
        if IMAGES in inner:
            found.append(folder)
        elif classes is not None or MASKS in inner or did_you_mean(IMAGES, inner):
            raise DataError(f"{folder}: no folder {IMAGES!r}.{did_you_mean(IMAGES, inner)}",
                            f"Lay the scans out as {{class}}/{IMAGES}/, their masks as {{class}}/{MASKS}/.")  # fmt: skip
        else:
            others.append(folder.name)
    if not found:
        raise DataError(f"{root}: holds no class folder.", f"Lay the scans out as {{class}}/{IMAGES}/ and {{class}}/{MASKS}/.")
    if others:
        warn(f"{root}: left out, without {IMAGES}/: {', '.join(others)}.")
    return found


def _class_scans(folder: Path, root: Path, modality: str, told: Mapping[str, tuple[str, str]], warn: Warn) -> list[Scan]:
    images = _pictures(folder / IMAGES)
    if not images:
        raise DataError(f"{folder / IMAGES}: no scans.", f"Put {', '.join(SUFFIXES)} files there, or take the folder away.")
    masks: dict[str, Path] = {}
    for path in sorted(_pictures(folder / MASKS), key=lambda path: SUFFIXES.index(path.suffix.lower())):
        masks.setdefault(path.stem, path)
    alone = sorted(set(masks) - {path.stem for path in images})
    if alone:
        warn(f"{folder}: {len(alone)} masks without a scan are passed over: {_named(alone)}.")
    scans = []
    for path in images:
        key = path.relative_to(root).as_posix()
        patient, source = told.get(key, ("", ""))
        scans.append(Scan(key, path, modality, folder.name, patient, "", source, masks.get(path.stem)))
    return scans


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    files = (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))
    return sorted(path for path in files if path.is_file())


def _named(stems: list[str]) -> str:
    more = len(stems) - NAMED_IN_WARNING
    return ", ".join(stems[:NAMED_IN_WARNING]) + (f" and {more} more" if more > 0 else "")


def _patients(root: Path) -> dict[str, tuple[str, str]]:
    """{image: (patient, source)} of the table beside the folders; {} where there is none."""
    path = next((root / name for name in PATIENT_TABLES if (root / name).is_file()), None)
    rows = read_rows(path) if path is not None else []
    for column in ("image", "patient_id") if rows else ():
        if column not in rows[0]:
            near = did_you_mean(column, rows[0])
            raise DataError(f"{path}: no column {column!r}.{near}", f"Its columns: {', '.join(rows[0])}.")
    return {Path(row["image"]).as_posix(): (row["patient_id"], row.get("source", "")) for row in rows}
