"""A new split written as `{label set}/{train,val,test}/{class}/`, by copies or links."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.data.new_folder import new_folder
from pipeline.data.rearranging.placing import Mode, place_scans
from pipeline.data.rearranging.reorganization import labelled
from pipeline.data.scans import TEST, TRAIN, VALID, Scan
from pipeline.engine.file_names import flat_name

FOLDER_OF: Mapping[str, str] = {TRAIN: "train", VALID: "val", TEST: "test"}


def write_label_sets(scans: Sequence[Scan], out: Path, label_sets: Iterable[str], mode: Mode = "copy") -> dict[str, dict]:
    """Write each label set's folders and its `patients.csv`; `out` appears whole or not at all.

    mode: see `place_scans`. A file keeps its name, unless two have the same: then it is called by its path (`flat_name`). Returns
    {label set: {split: {class: scans}}}.

    Raises DataError: see `new_folder` and `place_scans`.
    """
    with new_folder(out) as staging:
        return {name: _write_label_set(labelled(scans, name), staging / name, mode) for name in label_sets}


def _write_label_set(scans: Sequence[Scan], root: Path, mode: Mode) -> dict[str, dict[str, int]]:
    names = Counter(scan.path.name for scan in scans)
    kept = [scan.path.name if names[scan.path.name] == 1 else flat_name(scan.id) for scan in scans]
    place_scans(
        [(scan, Path(FOLDER_OF[scan.split], scan.label, name)) for scan, name in zip(scans, kept, strict=True)], root, mode
    )
    counts = Counter((scan.split, scan.label) for scan in scans)
    return {
        folder: {label: count for (of, label), count in sorted(counts.items()) if of == split}
        for split, folder in FOLDER_OF.items()
    }
