"""The index of a run's scans for networks that tell two or more classes apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.data.scan_index import patients_of
from pipeline.data.scans import SPLITS
from pipeline.engine.errors import DataError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ClassIndex:
    """The scans of one modality whose label is among ``class_names``.

    rows: ``(N,)`` int64, their row numbers in s01's arrays, ascending. ids, splits, patients, sources: ``(N,)`` str.
    class_index: ``(N,)`` int64, positions in ``class_names``. has_mask: ``(N,)`` bool. A scan without a patient id
    is a patient of its own.
    """

    class_names: tuple[str, ...]
    rows: np.ndarray
    ids: np.ndarray
    class_index: np.ndarray
    splits: np.ndarray
    patients: np.ndarray
    sources: np.ndarray
    has_mask: np.ndarray

    def positions(self, split: str) -> np.ndarray:
        """Positions within this index (not row numbers) of a split, ``(n,)`` int64."""
        return np.flatnonzero(self.splits == split)


def class_index_of(frame: pd.DataFrame, modality: str, class_names: Sequence[str] | None = None) -> ClassIndex:
    """The rows of ``scan_index.csv`` of one modality and of the named classes; all of its classes, sorted, for None.

    Raises:
        DataError: no such class (did-you-mean), fewer than two, or a split without one of them.
    """
    mine = frame[frame["modality"] == modality].sort_values("row")
    present = sorted(mine["label"].unique())
    names = tuple(present if class_names is None else class_names)
    for name in names:
        if name not in present:
            raise DataError(f"The run has no {modality} scan of class {name!r}.{did_you_mean(name, present)}",
                            f"Its classes: {', '.join(present) or 'none'}.")  # fmt: skip
    if len(names) < 2:
        raise DataError(f"{modality}: only the class(es) {', '.join(names) or 'none'}.", "Two classes are needed.")
    mine = mine[mine["label"].isin(names)]
    _refuse_missing(mine, modality, names)
    position = {name: number for number, name in enumerate(names)}
    return ClassIndex(
        class_names=names,
        rows=mine["row"].to_numpy(np.int64),
        ids=mine["id"].to_numpy(str),
        class_index=mine["label"].map(position).to_numpy(np.int64),
        splits=mine["split"].to_numpy(str),
        patients=patients_of(mine),
        sources=mine["source"].fillna("").to_numpy(str),
        has_mask=mine["has_mask"].to_numpy(np.int64).astype(bool),
    )


def _refuse_missing(frame: pd.DataFrame, modality: str, names: Sequence[str]) -> None:
    for split in SPLITS:
        found = set(frame.loc[frame["split"] == split, "label"])
        if missing := [name for name in names if name not in found]:
            raise DataError(f"{modality}, {split}: no scan of class {missing[0]!r}.",
                            "Add scans, or change the split fractions.")  # fmt: skip
