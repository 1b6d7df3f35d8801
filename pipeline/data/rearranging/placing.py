"""Scans copied or linked into a new folder, with the table of their patients."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pipeline.data.layouts.patient_table import write_patient_table
from pipeline.data.scans import Scan
from pipeline.engine.errors import DataError, StorageError

Mode = Literal["copy", "link"]


def place_scans(placed: Iterable[tuple[Scan, Path]], root: Path, mode: Mode) -> int:
    """Put each scan at its path below `root`, write `patients.csv` there, and return how many were put.

    mode: copies, or symbolic links; the originals stay where they are and as they are. Raises DataError for a scan whose
    file is missing, StorageError where no link can be made.
    """
    rows = []
    for scan, place in placed:
        if not scan.path.is_file():
            raise DataError(f"{scan.path}: no such file.", "Check the manifest's row and --data.")
        target = root / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if mode == "link":
            _link(target, scan.path.resolve())
        else:
            shutil.copyfile(scan.path, target)
        rows.append((place.as_posix(), scan.patient_id, scan.source, scan.id))
    write_patient_table(root, rows)
    return len(rows)


def _link(target: Path, original: Path) -> None:
    try:
        target.symlink_to(original)
    except OSError as cause:
        # Windows asks for a right of its own; some file systems know no links.
        message = f"{original}: no link to it can be made here ({cause.strerror})."
        raise StorageError(message, "Copy the files instead.") from cause
