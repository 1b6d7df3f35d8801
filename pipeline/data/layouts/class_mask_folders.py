"""Scans with lung masks in a folder for each class: `{class}/images` and `{class}/masks`, matched by stem.

The layout of the COVID-19 Radiography Database (Chowdhury et al. 2020, Rahman et al. 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.data.folder_walk import FolderWalk
from pipeline.data.layouts.patient_table import read_patient_table
from pipeline.data.layouts.scan_files import class_scans, refuse_lone_class, refuse_missing_folder
from pipeline.data.scans import XRAY, Scan, Warn, warn_python
from pipeline.engine.errors import DataError, did_you_mean
from pipeline.engine.listing import listed

IMAGES, MASKS = "images", "masks"
PREFERRED = (".png", ".jpg", ".jpeg")
NAMED_IN_WARNING = 3


def read_class_mask_folders(
    root: Path, warn: Warn = warn_python, classes: Sequence[str] | None = None, modality: str = XRAY
) -> list[Scan]:
    """Every scan of the class folders, sorted by id, with its mask where there is one.

    See `class_mask_scans`, of which this refuses what has one class only (DataError).
    """
    scans = class_mask_scans(root, warn, classes, modality)
    refuse_lone_class(root, {scan.label for scan in scans})
    return scans


def class_mask_scans(
    root: Path, warn: Warn = warn_python, classes: Sequence[str] | None = None, modality: str = XRAY
) -> list[Scan]:
    """Every scan of the class folders, sorted by id, with its mask where there is one.

    A class is a folder of `root` that holds `images/`; `masks/` may be missing, whole or in part. A mask is of the scan
    whose path below `images/` it has, suffix aside; where two have it, .png is taken before .jpg and .jpeg. A mask without
    a scan is warned of, a folder that is no class too. Patient ids and sources: see `read_patient_table`. classes: the
    folders that must be there; None for whatever is.

    Raises DataError: no such folder, a class folder missing or without `images/` (did-you-mean), an empty one, or two masks
    of one scan in other formats.
    """
    refuse_missing_folder(root, "the class folders")
    told, walk = read_patient_table(root), FolderWalk(root)
    scans = [scan for folder in _class_folders(walk, classes, warn) for scan in _with_masks(folder, walk, modality, warn)]
    walk.tell(warn)
    return sorted(told.applied_to(scans, root, warn), key=lambda scan: scan.id)


def image_folders(walk: FolderWalk) -> list[Path]:
    """The folders `{class}` of a root of `{class}/images`, sorted; [] where it is laid out otherwise."""
    return [folder for folder in walk.subfolders(walk.root) if (folder / IMAGES).is_dir()]


def _class_folders(walk: FolderWalk, classes: Sequence[str] | None, warn: Warn) -> list[Path]:
    root = walk.root
    present = {entry.name: entry for entry in walk.subfolders(root)}
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
        raise DataError(f"{root}: holds no class folder, no folder of it holds {IMAGES}/.",
                        f"Lay the scans out as {{class}}/{IMAGES}/ and {{class}}/{MASKS}/.")  # fmt: skip
    if others:
        warn(f"{root}: left out, without {IMAGES}/: {', '.join(others)}.")
    for folder in (root, *found):
        walk.loose_scans(folder)
    return found


def _with_masks(folder: Path, walk: FolderWalk, modality: str, warn: Warn) -> list[Scan]:
    scans = class_scans(folder / IMAGES, walk, modality, label=folder.name)
    masks = _masks_by_stem(folder / MASKS, walk)
    stems = [_stem(scan.path, folder / IMAGES) for scan in scans]
    if alone := sorted(set(masks) - set(stems)):
        warn(f"{folder}: {len(alone)} masks without a scan are passed over: {listed(alone, NAMED_IN_WARNING)}.")
    return [replace(scan, mask=masks.get(stem)) for scan, stem in zip(scans, stems, strict=True)]


def _masks_by_stem(folder: Path, walk: FolderWalk) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(walk.scan_files(folder), key=_preference):
        first = found.setdefault(_stem(path, folder), path)
        if first != path and _preference(first) == len(PREFERRED):
            raise DataError(f"{folder}: {first.name} and {path.name} are masks of one image.", "Keep one of them.")
    return found


def _preference(path: Path) -> int:
    suffix = path.suffix.lower()
    return PREFERRED.index(suffix) if suffix in PREFERRED else len(PREFERRED)


def _stem(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()
