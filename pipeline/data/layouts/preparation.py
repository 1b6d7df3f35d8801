"""A selection of scans laid out as the customer's four folders."""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pipeline.data.layouts.respiratory_folders import FOLDERS, OPTIONAL_FOLDERS
from pipeline.data.scans import CLASS_NAMES, VALID, Scan
from pipeline.engine.errors import DataError

PATIENT_TABLE = "patients.csv"


def prepare_folders(
    scans: Sequence[Scan], out: Path, source_root: Path, how: Literal["link", "copy"] = "link"
) -> int:
    """Writes `out` in the four-folder layout (validation folders where scans name one) and its
    `patients.csv`.

    scans: all with a split and a class name of `CLASS_NAMES`. how: symbolic links or copies. A file's name
    is its path below the source with `/` turned into `__`, so that none falls on another. `out` appears
    whole or not at all. Returns the number of scans written; scans whose file is missing raise DataError,
    as does an `out` that holds something or lies inside `source_root`.
    """
    _refuse_bad_place(out, source_root)
    folder_of = {place: name for name, place in (FOLDERS | OPTIONAL_FOLDERS).items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        for name, (_, split) in (FOLDERS | OPTIONAL_FOLDERS).items():
            if split != VALID or any(folder_of[(scan.modality, scan.split)] == name for scan in scans):
                for label in CLASS_NAMES:
                    (staging / name / label).mkdir(parents=True)
        rows = []
        for scan in scans:
            place = Path(folder_of[(scan.modality, scan.split)], scan.label, scan.id.replace("/", "__"))
            _put(scan.path, staging / place, how)
            rows.append((place.as_posix(), scan.patient_id, scan.source, scan.id))
        _write_table(staging / PATIENT_TABLE, rows)
        if out.is_dir():
            out.rmdir()
        staging.chmod(0o755)
        staging.rename(out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return len(rows)


def _refuse_bad_place(out: Path, source_root: Path) -> None:
    if out.resolve().is_relative_to(source_root.resolve()):
        raise DataError(
            f"{out}: lies inside the data it is made from, which is never written to.",
            "Give --out another place.",
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out}: is there already and not empty.", "Give --out a new folder.")


def _put(source: Path, target: Path, how: str) -> None:
    if not source.is_file():
        raise DataError(f"{source}: no such file.", "Check the manifest's row and --data.")
    if how == "link":
        target.symlink_to(source.resolve())
    else:
        shutil.copyfile(source, target)


def _write_table(path: Path, rows: list[tuple[str, str, str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("image", "patient_id", "source", "from"))
        writer.writerows(sorted(rows))
