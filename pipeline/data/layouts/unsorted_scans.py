"""Scans of a folder of which nothing says what they show."""

from __future__ import annotations

from pathlib import Path

from pipeline.data.folder_walk import FolderWalk
from pipeline.data.layouts.scan_files import refuse_missing_folder
from pipeline.data.scans import Scan, Warn, warn_python
from pipeline.engine.file_names import printable


def read_any_folder(root: Path, warn: Warn = warn_python) -> list[Scan]:
    """Every scan below `root`, sorted: its folder's name as label, its first folder as source.

    warn: told of what was left out. Raises DataError where there is none.
    """
    refuse_missing_folder(root, "the scans")
    scans, walk = [], FolderWalk(root)
    for path in walk.scan_files(root, missing="no scans below it"):
        *folders, _ = parts = path.relative_to(root).parts
        label, source = folders[-1] if folders else "", folders[0] if len(folders) > 1 else ""
        scans.append(Scan(printable("/".join(parts)), path, "", printable(label), source=printable(source)))
    walk.tell(warn)
    return scans
