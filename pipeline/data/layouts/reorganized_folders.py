"""A new split written as `{label set}/{train,val,test}/{class}/`, by copies or links."""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pipeline.data.layouts.reorganization import labelled
from pipeline.data.scans import TEST, TRAIN, VALID, Scan
from pipeline.engine.errors import DataError

FOLDER_OF: Mapping[str, str] = {TRAIN: "train", VALID: "val", TEST: "test"}
PATIENT_TABLE = "patients.csv"
Mode = Literal["copy", "link"]


def write_label_sets(scans: Sequence[Scan], out: Path, label_sets: Iterable[str], mode: Mode = "copy") -> dict[str, dict]:
    """Write each label set's folders and its `patients.csv`; `out` appears whole or not at all.

    mode: copies, or symbolic links; the originals stay where they are and as they are. A file keeps its name, unless two
    have the same: then `/` in its path becomes `__`. Returns {label set: {split: {class: scans}}}.

    Raises DataError: see `refuse_occupied`, which is to be asked before long work.
    """
    refuse_occupied(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        counts = {name: _write_label_set(labelled(scans, name), staging / name, mode) for name in label_sets}
        staging.chmod(0o755)
        if out.is_dir():
            out.rmdir()
        staging.rename(out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return counts


def refuse_occupied(out: Path, source: Path | None = None) -> None:
    """Raise DataError for an `out` that holds something, or lies inside the data that it is made from."""
    if source is not None and out.resolve().is_relative_to(source.resolve()):
        raise DataError(f"{out}: lies inside the data, which is never written to.", "Give --out another place.")
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise DataError(f"{out}: is there already and not empty.", "Give --out a new folder.")


def _write_label_set(scans: Sequence[Scan], root: Path, mode: Mode) -> dict[str, dict[str, int]]:
    names = Counter(scan.path.name for scan in scans)
    counts: dict[str, Counter[str]] = {folder: Counter() for folder in FOLDER_OF.values()}
    rows = []
    for scan in scans:
        name = scan.path.name if names[scan.path.name] == 1 else scan.id.replace("/", "__")
        place = Path(FOLDER_OF[scan.split], scan.label, name)
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        if mode == "link":
            (root / place).symlink_to(scan.path.resolve())
        else:
            shutil.copyfile(scan.path, root / place)
        counts[FOLDER_OF[scan.split]][scan.label] += 1
        rows.append((place.as_posix(), scan.patient_id, scan.source, scan.id))
    with (root / PATIENT_TABLE).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("image", "patient_id", "source", "from"))
        writer.writerows(sorted(rows))
    return {folder: dict(sorted(found.items())) for folder, found in counts.items()}
