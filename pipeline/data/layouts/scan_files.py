"""What every layout of class folders shares: the scans of a class folder, and what is refused."""

from __future__ import annotations

from pathlib import Path

from pipeline.data.class_names import class_name
from pipeline.data.folder_walk import FolderWalk
from pipeline.data.scans import Scan
from pipeline.engine.errors import DataError
from pipeline.engine.file_names import printable


def class_scans(folder: Path, walk: FolderWalk, modality: str, split: str = "", label: str = "") -> list[Scan]:
    """The scans below a class folder of the data folder that is walked; whose they are is not told yet.

    label: the folder's name where it is not said. Raises DataError where there is none.
    """
    return [
        Scan(printable(path.relative_to(walk.root).as_posix()), path, modality, class_name(label or folder.name), split=split)
        for path in walk.scan_files(folder, missing="no scans in this class folder")
    ]


def refuse_missing_folder(root: Path, holds: str) -> None:
    """Raise DataError where `root` is no folder. holds: what --data is to hold."""
    if not root.is_dir():
        what = "is a file and not a folder" if root.exists() else "no such folder"
        raise DataError(f"{root}: {what}.", f"Give --data the folder that holds {holds}.")


def refuse_lone_class(root: Path, classes: set[str]) -> None:
    """Raise DataError where the folders below `root` are of one class only."""
    if len(classes) < 2:
        raise DataError(f"{root}: only the class {min(classes, default='')!r}.", "Two classes or more are needed, a folder each.")
