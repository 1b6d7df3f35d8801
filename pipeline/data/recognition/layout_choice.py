"""As what a folder is read: by what lies in it, and by what was said where that leaves it open."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

from pipeline.data.folder_walk import FolderWalk
from pipeline.data.layouts.class_folders import split_folders
from pipeline.data.layouts.class_mask_folders import MASKS, image_folders
from pipeline.data.layouts.lists.list_columns import is_list
from pipeline.data.layouts.patient_table import PATIENT_TABLES
from pipeline.data.layouts.respiratory_folders import has_respiratory_folders
from pipeline.data.layouts.scan_files import refuse_missing_folder
from pipeline.engine.errors import DataError, UsageError, did_you_mean

LAYOUTS = {
    "respiratory": "X_Ray_Train, X_Ray_Test, CT_Scan_Train, CT_Scan_Test or the two of one modality",
    "class_masks": "a folder for each class, with images/ and masks/ inside",
    "class_folders": "a folder for each class",
    "list": "a list of images with their labels",
}


class LayoutChoice(NamedTuple):
    """layout: a name of LAYOUTS. table: of a list, relative to the folder; "" for folders. split: whether folders are parts."""

    layout: str
    table: str = ""
    split: bool = False

    @property
    def words(self) -> str:
        """What the folder is taken for."""
        parts = ", in train, val and test" if self.split else ""
        return f"{LAYOUTS[self.layout]}{f' ({self.table})' if self.table else ''}{parts}"


def choose_layout(root: Path, layout: str | None = None, table: str | None = None) -> LayoutChoice:
    """What lies in a folder, or what it is said to be.

    Raises DataError: no such folder, no such list, nothing that gives labels. UsageError: it could be two.
    """
    refuse_missing_folder(root, "the scans")
    lists, walk = _lists(root), FolderWalk(root)
    if table is not None:
        if not (root / table).is_file():
            there = ", ".join(lists) or "none"
            raise DataError(f"{root}: no list {table!r}.{did_you_mean(table, lists)}", f"Lists there: {there}.")
        return LayoutChoice("list", table)
    found = _folders(root, walk)
    if layout == "list" or (layout is None and lists and found is None):
        return LayoutChoice("list", _only(root, lists))
    if layout is not None:
        return LayoutChoice(layout, split=layout == "class_folders" and bool(split_folders(walk)))
    if found is None:
        raise DataError(
            f"{root}: nothing here says what the scans show.",
            "Lay them out as a folder for each class, or put a CSV with the columns image and label beside them.",
        )
    if lists and found.layout != "respiratory":
        raise UsageError(f"{root}: holds {LAYOUTS[found.layout]}, and a list ({', '.join(lists)}).",
                         f"Say which counts: --layout {found.layout}, or --list {lists[0]}.")  # fmt: skip
    return found


def _folders(root: Path, walk: FolderWalk) -> LayoutChoice | None:
    if has_respiratory_folders(root):
        return LayoutChoice("respiratory")
    if split_folders(walk):
        return LayoutChoice("class_folders", split=True)
    with_images = image_folders(walk)
    if any((folder / MASKS).is_dir() for folder in with_images):
        return LayoutChoice("class_masks")
    classes = [folder for folder in walk.subfolders(root) if folder.name != MASKS and _holds_scans(walk, folder)]
    return LayoutChoice("class_folders") if len(classes) > 1 or with_images else None


def _holds_scans(walk: FolderWalk, folder: Path) -> bool:
    return bool(FolderWalk(walk.root).scan_files(folder))


def _lists(root: Path) -> list[str]:
    """The tables in a folder whose columns are those of a list."""
    tables = sorted(path for path in root.iterdir() if path.suffix.lower() == ".csv" and path.name != PATIENT_TABLES[0])
    return [path.name for path in tables if path.is_file() and is_list(_header(path))]


def _header(path: Path) -> list[str]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            return [cell.strip() for cell in next(csv.reader(stream), [])]
    except (OSError, UnicodeDecodeError, csv.Error):
        return []


def _only(root: Path, lists: list[str]) -> str:
    if not lists:
        raise DataError(f"{root}: no CSV here has the columns image and label.", "Name it with --list, its columns as usual.")
    if len(lists) > 1:
        raise UsageError(f"{root}: holds several lists: {', '.join(lists)}.", f"Say which: --list {lists[0]}")
    return lists[0]
