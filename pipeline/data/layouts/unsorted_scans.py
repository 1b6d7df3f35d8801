"""Scans of a data set that no configuration describes yet, for a first look at it."""

from __future__ import annotations

from pathlib import Path

from pipeline.data.csv_rows import read_rows
from pipeline.data.reading.gray_reader import SUFFIXES
from pipeline.data.scans import Scan
from pipeline.engine.errors import DataError


def read_whole_manifest(csv: Path, root: Path) -> list[Scan]:
    """Every row of a manifest with its own label, set as source; modality and split "" (not told apart)."""
    rows = read_rows(csv)
    if "image" not in rows[0]:
        raise DataError(f"{csv}: no column 'image'.", f"Its columns: {', '.join(rows[0])}.")
    return [
        Scan(
            Path(row["image"]).as_posix(),
            root / row["image"],
            "",
            row.get("label", ""),
            row.get("patient_id", ""),
            "",
            row.get("set", row.get("source", "")),
        )
        for row in rows
    ]


def read_any_folder(root: Path) -> list[Scan]:
    """Every image file below `root`, sorted: its folder's name as label, its first folder as source.

    Raises DataError where there is none.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder.", "Give the folder that holds the scans.")
    scans = []
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file():
            parts = path.relative_to(root).parts
            scans.append(
                Scan(
                    "/".join(parts),
                    path,
                    "",
                    parts[-2] if len(parts) > 1 else "",
                    "",
                    "",
                    parts[0] if len(parts) > 2 else "",
                )
            )
    if not scans:
        raise DataError(f"{root}: no scans below it.", f"Read are {', '.join(sorted(SUFFIXES))} files.")
    return scans
