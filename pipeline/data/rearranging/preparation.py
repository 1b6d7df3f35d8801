"""A selection of scans laid out as the customer's four folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.data.layouts.respiratory_folders import FOLDERS, OPTIONAL_FOLDERS
from pipeline.data.new_folder import new_folder, refuse_occupied
from pipeline.data.rearranging.placing import Mode, place_scans
from pipeline.data.scans import CLASS_NAMES, VALID, Scan
from pipeline.engine.file_names import flat_name


def prepare_folders(scans: Sequence[Scan], out: Path, source_root: Path, how: Mode = "link") -> int:
    """Writes `out` in the four-folder layout (validation folders where scans name one) and its
    `patients.csv`.

    scans: all with a split and a class name of `CLASS_NAMES`. how: symbolic links or copies. A file's name
    is its path below the source as `flat_name` writes it, so that none falls on another. `out` appears
    whole or not at all. Returns the number of scans written; scans whose file is missing raise DataError,
    as does an `out` that holds something or lies inside `source_root`.
    """
    refuse_occupied(out, source_root)
    folder_of = {place: name for name, place in (FOLDERS | OPTIONAL_FOLDERS).items()}
    with new_folder(out) as staging:
        for name, (_, split) in (FOLDERS | OPTIONAL_FOLDERS).items():
            if split != VALID or any(folder_of[(scan.modality, scan.split)] == name for scan in scans):
                for label in CLASS_NAMES:
                    (staging / name / label).mkdir(parents=True)
        placed = [(scan, Path(folder_of[scan.modality, scan.split], scan.label, flat_name(scan.id))) for scan in scans]
        return place_scans(placed, staging, how)
