"""Scans of a data set that no configuration describes yet, for a first look at it."""

from __future__ import annotations

from pathlib import Path

from pipeline.data.csv_rows import read_rows, require_columns
from pipeline.data.folder_walk import FolderWalk
from pipeline.data.image_paths import file_of, normal_path
from pipeline.data.layouts.respiratory_folders import has_respiratory_folders, read_respiratory_folders
from pipeline.data.layouts.scan_files import refuse_missing_folder
from pipeline.data.patient_ids import known_patient
from pipeline.data.scans import Scan, Warn, warn_python
from pipeline.engine.file_names import printable


def read_undescribed_scans(root: Path, warn: Warn) -> list[Scan]:
    """The scans of whatever lies in a folder: the four folders, a manifest, or any images. warn: is told what is unknown."""
    if has_respiratory_folders(root):
        return read_respiratory_folders(root, warn)
    if (root / "manifest.csv").is_file():
        warn("No configuration given: every row of manifest.csv, with its own label and no split.")
        return read_whole_manifest(root / "manifest.csv", root)
    return read_any_folder(root, warn)


def read_whole_manifest(csv: Path, root: Path) -> list[Scan]:
    """Every row of a manifest with its own label, set as source; modality and split "" (not told apart)."""
    rows = read_rows(csv)
    require_columns(csv, rows, "image")
    return [
        Scan(
            normal_path(row["image"]), file_of(row["image"], root) or root, "", row.get("label", ""),
            known_patient(row.get("patient_id", "")),
            source=row.get("set", row.get("source", "")),
        )
        for row in rows
    ]  # fmt: skip


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
