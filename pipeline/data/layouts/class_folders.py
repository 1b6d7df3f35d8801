"""Scans in a folder for each class: `{class}/`, or `{train,val,test}/{class}/`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pipeline.data.folder_walk import FolderWalk
from pipeline.data.layouts.class_mask_folders import IMAGES, MASKS
from pipeline.data.layouts.kermany_names import read_kermany_name
from pipeline.data.layouts.patient_table import read_patient_table
from pipeline.data.layouts.scan_files import class_scans, refuse_lone_class, refuse_missing_folder
from pipeline.data.scans import TEST, TRAIN, XRAY, Scan, Warn, warn_python
from pipeline.data.words import SPLIT_WORDS, meaning_of
from pipeline.engine.errors import DataError


def read_class_folders(root: Path, warn: Warn = warn_python, modality: str = XRAY) -> list[Scan]:
    """Every scan of the class folders below `root`, sorted by id; files that are no scans are passed over.

    See `class_folder_scans`, of which this tells where patients are from and how many have none, and refuses one class only
    (DataError).
    """
    scans = class_folder_scans(root, warn, modality)
    refuse_lone_class(root, {scan.label for scan in scans})
    unknown = sum(not scan.patient_id for scan in scans)
    if unknown < len(scans) and not read_patient_table(root):
        warn(f"{root}: the patients of {len(scans) - unknown} of {len(scans)} scans are read off Kermany's file names.")
    if unknown:
        warn(f"{root}: {unknown} of {len(scans)} scans have no patient id; each counts as a patient.")
    return scans


def class_folder_scans(root: Path, warn: Warn = warn_python, modality: str = XRAY) -> list[Scan]:
    """Every scan of the class folders below `root`, sorted by id; files that are no scans are passed over.

    Where `train` or `test` lies in `root`, the folders are splits (`val`, `valid` and `validation` are one) and the
    classes lie inside; anything else beside them is left out, and said. A class is a folder's name; where an `images`
    folder lies in it, only that is read. Patient ids and sources: see `read_patient_table`; without a table, off Kermany's
    file names. A mask is `masks/<path of the scan>.png`, where it is there.

    Raises DataError: no such folder, no class folder, or an empty one.
    """
    refuse_missing_folder(root, "the class folders")
    told, walk = read_patient_table(root), FolderWalk(root)
    scans = [scan for split, folder in _class_places(walk, warn) for scan in _scans_of(folder, walk, modality, split)]
    walk.tell(warn)
    scans = told.applied_to(scans, root, warn) if told else [_by_its_name(scan) for scan in scans]
    return sorted(scans, key=lambda scan: scan.id)


def split_folders(walk: FolderWalk) -> dict[str, Path]:
    """{split: folder} of `train`, `val` and `test` in a folder, however they are spelt; {} where there is neither train
    nor test. Raises DataError where one split has two folders."""
    root, found = walk.root, dict[str, Path]()
    for folder in walk.subfolders(walk.root):
        split = meaning_of(folder.name, SPLIT_WORDS)
        if split and split in found:
            raise DataError(f"{root}: {found[split].name} and {folder.name} are both {split}.", "Leave one of them.")
        if split:
            found[split] = folder
    return found if TRAIN in found or TEST in found else {}


def _class_places(walk: FolderWalk, warn: Warn) -> list[tuple[str, Path]]:
    """(split, class folder), the split "" where the folders name none."""
    root = walk.root
    folders = [folder for folder in walk.subfolders(root) if folder.name != MASKS]
    splits = split_folders(FolderWalk(root))
    if splits:
        others = sorted(folder.name for folder in folders if folder not in splits.values())
        if others:
            warn(f"{root}: left out, beside the split's folders: {', '.join(others)}.")
        places = [(split, inner) for split, folder in splits.items() for inner in walk.subfolders(folder)]
    else:
        places = [("", folder) for folder in folders]
    if not places:
        raise DataError(f"{root}: holds no class folder.", "Lay the scans out as {class}/ or {train,val,test}/{class}/.")
    for parent in dict.fromkeys([root, *(folder.parent for _, folder in places)]):
        walk.loose_scans(parent)
    return places


def _scans_of(folder: Path, walk: FolderWalk, modality: str, split: str) -> Iterator[Scan]:
    inner = folder / IMAGES
    if inner.is_dir():
        walk.loose_scans(folder)
    for scan in class_scans(inner if inner.is_dir() else folder, walk, modality, split, folder.name):
        mask = (walk.root / MASKS / scan.path.relative_to(walk.root)).with_suffix(".png")
        yield replace(scan, mask=mask if mask.is_file() else None)


def _by_its_name(scan: Scan) -> Scan:
    name = read_kermany_name(scan.path.stem)
    return replace(scan, patient_id=name.person) if name else scan
