"""The index of a run's scans: one row a scan, in the order of every array that s01 writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.data.run_classes import RunClasses
from pipeline.data.scans import SPLITS, Scan
from pipeline.engine.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("id", "modality", "row", "label", "split", "patient_id", "source", "pixel_sha1", "has_mask")
TEXT_COLUMNS = tuple(name for name in COLUMNS if name not in ("row", "has_mask"))
ATTRIBUTE_KEYS = ("id", "modality", "row")


@dataclass(frozen=True)
class ModalityIndex:
    """The scans of one modality, in the row order of its arrays.

    ids, patients, sources, splits: ``(N,)`` str; labels: ``(N,)`` int8, 1 = the positive class of two, else the number of
    one of ``classes``. A scan without a patient id is a patient of its own.
    """

    modality: str
    ids: np.ndarray
    labels: np.ndarray
    splits: np.ndarray
    patients: np.ndarray
    sources: np.ndarray
    classes: RunClasses | None = None

    @property
    def count(self) -> int:
        """How many classes the labels number."""
        return 2 if self.classes is None else len(self.classes)

    def rows(self, split: str) -> np.ndarray:
        """Row numbers of a split, ``(n,)`` int64."""
        return np.flatnonzero(self.splits == split)


def index_frame(scans: list[Scan], pixel_hashes: dict[str, str]) -> pd.DataFrame:
    """Table of the scans that were read, rows numbered within each modality; ``has_mask`` is 0 or 1."""
    import pandas as pd

    rows = [
        (scan.id, scan.modality, row, scan.label, scan.split, scan.patient_id, scan.source, pixel_hashes[scan.id],
         int(scan.mask is not None))
        for row, scan in _numbered(scans)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def attribute_frame(scans: list[Scan]) -> pd.DataFrame:
    """Table of what else the data tells of each scan, all text: ATTRIBUTE_KEYS, then a column an attribute."""
    import pandas as pd

    names = list(dict.fromkeys(name for scan in scans for name in scan.attributes))
    rows = [
        (scan.id, scan.modality, row, *(scan.attributes.get(name, "") for name in names)) for row, scan in _numbered(scans)
    ]
    return pd.DataFrame(rows, columns=[*ATTRIBUTE_KEYS, *names])


def _numbered(scans: list[Scan]) -> Iterator[tuple[int, Scan]]:
    counters: dict[str, int] = {}
    for scan in scans:
        counters[scan.modality] = counters.get(scan.modality, -1) + 1
        yield counters[scan.modality], scan


def modality_index(frame: pd.DataFrame, modality: str, positive_class: str) -> ModalityIndex:
    """The rows of one modality, the positive class against all others.

    Raises:
        DataError: the modality has no scan, or a split lacks one of the two classes.
    """
    mine = _of_modality(frame, modality)
    labels = (mine["label"].to_numpy(str) == positive_class).astype(np.int8)
    splits = mine["split"].to_numpy(str)
    for split in SPLITS:
        if len(np.unique(labels[splits == split])) != 2:
            raise DataError(f"{modality}, {split}: both classes are needed to train and to judge.",
                            "Add scans, or change the split fractions.")  # fmt: skip
    return _indexed(mine, modality, labels)


def labelled_index(frame: pd.DataFrame, modality: str, classes: RunClasses) -> ModalityIndex:
    """The rows of one modality, labelled by the numbers of their classes.

    Raises:
        DataError: the modality has no scan, or a split lacks one of the classes.
    """
    mine = _of_modality(frame, modality)
    found, splits = mine["label"].to_numpy(str), mine["split"].to_numpy(str)
    if lacking := [name for name in classes.names if name not in set(found)]:
        said = ", ".join(sorted(set(found)))
        raise DataError(f"{modality}: there are scans of {said}, and none of {', '.join(lacking)}, which the run has.",
                        "Bring the labels together with s01.data.labels, or leave the other modality out: s01.data.modalities.")
    for split in SPLITS:
        for name in classes.names:
            if name not in set(found[splits == split]):
                raise DataError(f"{modality}, {split}: no scan of class {name!r}; every class is needed to train and to judge.",
                                "Add scans, or change the split fractions.")  # fmt: skip
    return _indexed(mine, modality, classes.numbers(found), classes)


def _of_modality(frame: pd.DataFrame, modality: str) -> pd.DataFrame:
    mine = frame[frame["modality"] == modality].sort_values("row")
    if mine.empty:
        raise DataError(f"The run has no {modality} scan.", "Add some, or leave the modality's stages out.")
    return mine


def _indexed(mine: pd.DataFrame, modality: str, labels: np.ndarray, classes: RunClasses | None = None) -> ModalityIndex:
    ids, splits, sources = (mine[name].to_numpy(str) for name in ("id", "split", "source"))
    return ModalityIndex(modality, ids, labels, splits, patients_of(mine), sources, classes)


def patients_of(frame: pd.DataFrame) -> np.ndarray:
    """Whose each row is, ``(N,)`` str; ``scan:<id>`` where the data does not say."""
    ids, patients = frame["id"].to_numpy(str), frame["patient_id"].fillna("").to_numpy(str)
    return np.where(np.char.str_len(patients) == 0, np.char.add("scan:", ids), patients)
