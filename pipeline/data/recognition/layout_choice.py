"""As what a folder is read: by what lies in it, and by what was said where that leaves it open."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from pipeline.data.class_names import letters
from pipeline.data.csv_rows import read_header
from pipeline.data.folder_walk import NO_SCANS, FolderWalk
from pipeline.data.layouts.class_folders import split_folders
from pipeline.data.layouts.class_mask_folders import MASKS, image_folders
from pipeline.data.layouts.lists.list_columns import is_list
from pipeline.data.layouts.patient_table import PATIENT_TABLES
from pipeline.data.layouts.respiratory_folders import FOLDERS, has_respiratory_folders
from pipeline.data.layouts.scan_files import refuse_missing_folder
from pipeline.data.words import SPLIT_WORDS
from pipeline.engine.errors import DataError, UsageError, did_you_mean
from pipeline.engine.listing import counted, listed

ENDINGS = (".csv", ".tsv")
_NUMBER = re.compile(r"\d+")

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

    Raises DataError: no such folder, no such list, a table that cannot be read, nothing that gives labels. UsageError: it could
    be two.
    """
    found = find_layout(root, layout, table)
    if found is not None:
        return found
    raise _nothing_said(root)


def find_layout(root: Path, layout: str | None = None, table: str | None = None) -> LayoutChoice | None:
    """`choose_layout`; None where nothing gives labels."""
    refuse_missing_folder(root, "the scans")
    if table is not None:
        if not (root / table).is_file():
            lists = lists_there(root, strict=False)
            raise DataError(f"{root}: no list {table!r}.{did_you_mean(table, lists)}", f"Lists there: {listed(lists) or 'none'}.")
        return LayoutChoice("list", table)
    if layout not in (None, "list"):
        return LayoutChoice(layout, split=layout == "class_folders" and bool(split_folders(FolderWalk(root))))
    lists, found = lists_there(root, strict=layout is None), _folders(root) if layout is None else None
    if layout == "list" or (lists and found is None):
        return LayoutChoice("list", _only(root, lists))
    # A table of patients may tell labels, too: beside the four folders they say what it would.
    rivals = [name for name in lists if found is None or found.layout != "respiratory" or name.lower() not in PATIENT_TABLES]
    if found is not None and rivals:
        raise UsageError(f"{root}: holds {LAYOUTS[found.layout]}, and a list ({', '.join(rivals)}).",
                         f"Say which counts: --layout {found.layout}, or --list {rivals[0]}.")  # fmt: skip
    if found is not None and found.layout == "class_folders" and not found.split:
        _refuse_outer_folders(root)
    return found


def _nothing_said(root: Path) -> DataError:
    walk = FolderWalk(root)
    if not walk.scan_files(root) and (count := walk.left_out[NO_SCANS]):
        return DataError(f"{root}: holds no scan, and {counted(count, 'other file')} (first: {walk.first[NO_SCANS]}).",
                         "Scans are PNG, JPEG, TIFF, BMP and DICOM files.")  # fmt: skip
    inside, tables = FolderWalk(root).subfolders(root), _tables(root)
    said = f" It is in {inside[0]}: give that." if len(inside) == 1 and _folders(inside[0]) is not None else ""
    if tables:
        columns = listed([repr(name) for name in _header(tables[0], strict=False)])
        said += f" {tables[0].name} has {f'the columns {columns}' if columns else 'no columns that can be read'}."
    return DataError(
        f"{root}: nothing here says what the scans show.{said}",
        "Lay them out as a folder for each class, or put a CSV with the columns image and label beside them.",
    )


def lists_there(root: Path, strict: bool) -> list[str]:
    """The tables in a folder whose columns are those of a list. strict: raise DataError for one that cannot be read."""
    return [path.name for path in _tables(root) if is_list(_header(path, strict))]


def _tables(root: Path) -> list[Path]:
    found = (path for path in root.iterdir() if path.suffix.lower() in ENDINGS and path.name.lower() != PATIENT_TABLES[0])
    return sorted(path for path in found if path.is_file())


def _folders(root: Path) -> LayoutChoice | None:
    walk = FolderWalk(root)
    if has_respiratory_folders(root):
        return LayoutChoice("respiratory")
    if split_folders(walk):
        return LayoutChoice("class_folders", split=True)
    with_images = image_folders(walk)
    if any((folder / MASKS).is_dir() for folder in with_images):
        return LayoutChoice("class_masks")
    classes = [folder for folder in _outer_folders(walk) if _holds_scans(root, folder)]
    return LayoutChoice("class_folders") if len(classes) > 1 or with_images else None


def _outer_folders(walk: FolderWalk) -> list[Path]:
    return [folder for folder in walk.subfolders(walk.root) if folder.name != MASKS]


def _holds_scans(root: Path, folder: Path) -> bool:
    return bool(FolderWalk(root).scan_files(folder))


def _refuse_outer_folders(root: Path) -> None:
    """Raise UsageError where all folders hold the same ones, and nothing else: `XRay_Train/TB`, `XRay_Test/TB` and alike are
    parts, and what lies inside is the classes. Folders that are numbered (`PA000000`, `PA000001`) are patients or studies."""
    walk = FolderWalk(root)
    outer = _outer_folders(walk)
    inner = {frozenset(letters(each.name) for each in walk.subfolders(folder)) for folder in outer}
    kinds = {_NUMBER.sub("", name) for name in next(iter(inner), ())}
    if len(inner) != 1 or len(kinds) < 2 or any(walk.loose_scans(folder) for folder in outer):
        return
    names, classes = ([folder.name for folder in folders] for folders in (outer, walk.subfolders(outer[0])))
    meant = next(filter(None, (did_you_mean(name, (*SPLIT_WORDS, *FOLDERS)) for name in names)), "")
    raise UsageError(
        f"{root}: {listed(names)} hold the same folders ({listed(classes)}): which are the classes?{meant}",
        "Call the outer ones train and test, or as the four folders are called, or say --layout class_folders: "
        f"then {listed(names)} are.",
    )


def _header(path: Path, strict: bool) -> list[str]:
    try:
        return read_header(path)
    except DataError as error:
        if strict:
            raise DataError(error.message, f"{error.remedy} Or say what the folder is: --layout class_folders.") from error
        return []


def _only(root: Path, lists: list[str]) -> str:
    if not lists:
        raise DataError(f"{root}: no CSV here has the columns image and label.", "Name it with --list, its columns as usual.")
    if len(lists) > 1:
        raise UsageError(f"{root}: holds several lists: {', '.join(lists)}.", f"Say which: --list {lists[0]}")
    return lists[0]
