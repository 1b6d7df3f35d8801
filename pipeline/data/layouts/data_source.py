"""Where a run's scans come from, as its configuration says it, and the scans themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from pipeline.data.layouts.manifest_selection import ManifestSelection, read_selected_scans
from pipeline.data.layouts.respiratory_folders import has_respiratory_folders, read_respiratory_folders
from pipeline.data.masks.mask_labels import read_mask_labels
from pipeline.data.scans import TEST, TRAIN, VALID, Scan, Warn, warn_python
from pipeline.data.splitting.splits import DEFAULT_FRACTIONS, assign_splits
from pipeline.engine.errors import DataError, UsageError
from pipeline.engine.settings import Settings


class SplitFractions(Settings):
    """Shares of data that comes without a split; they sum to 1."""

    train: float = Field(default=DEFAULT_FRACTIONS[TRAIN], gt=0, lt=1)
    """Share of the scans to train on; no patient is on two sides."""
    valid: float = Field(default=DEFAULT_FRACTIONS[VALID], gt=0, lt=1)
    """Share of the scans on which epochs and thresholds are chosen."""
    test: float = Field(default=DEFAULT_FRACTIONS[TEST], gt=0, lt=1)
    """Share of the scans that are judged."""

    @model_validator(mode="after")
    def _sum_to_one(self) -> SplitFractions:
        total = self.train + self.valid + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train + valid + test is {total:g}, it must be 1")
        return self


class DataSource(Settings):
    """The part of a configuration that says which scans a run is about."""

    layout: Literal["respiratory", "class_masks", "class_folders"] = "respiratory"
    """`respiratory`: the four folders or, with a selection, a manifest; `class_masks`: `{class}/images` with `{class}/masks`;
    `class_folders`: `{class}` or `{train,val,test}/{class}`."""
    selection: tuple[ManifestSelection, ...] = ()
    """Rows of a manifest that are scans of the run; empty for folders."""
    manifest: str = "manifest.csv"
    """The manifest's path, relative to the data folder."""
    valid_fraction: float = Field(default=0.15, gt=0, lt=1)
    """Share of the training part that becomes validation where the data names a test part and no validation."""
    fractions: SplitFractions = SplitFractions()
    """Shares for the modalities that come without any split."""
    mask_labels: tuple[int | str, ...] = ()
    """Values of the lung masks that are lung, where the masks do not tell: `1`, `"128-255"`, `"#ff0000"`."""

    @field_validator("mask_labels")
    @classmethod
    def _labels_can_be_read(cls, labels: tuple[int | str, ...]) -> tuple[int | str, ...]:
        try:
            read_mask_labels(labels)
        except UsageError as error:
            raise ValueError(f"{error.message} {error.remedy}") from error
        return labels

    @model_validator(mode="after")
    def _selection_is_of_a_manifest(self) -> DataSource:
        if self.selection and self.layout != "respiratory":
            raise ValueError(f"a selection is of a manifest, and layout is {self.layout!r}: name one of the two")
        return self


def read_scans(root: Path, source: DataSource, seed: int, warn: Warn = warn_python) -> list[Scan]:
    """The scans of a data folder by the configuration, each with a split, sorted by (modality, id).

    Raises DataError, see `read_respiratory_folders`, `read_selected_scans`, `assign_splits`.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder.", "Give --data the folder that holds the scans.")
    if source.layout != "respiratory":
        return _from_class_folders(root, source, seed, warn)
    if source.selection:
        scans = read_selected_scans(root / source.manifest, root, source.selection, warn)
    elif not has_respiratory_folders(root) and (root / source.manifest).is_file():
        raise DataError(
            f"{root}: holds {source.manifest} and not the four folders, but the configuration selects no "
            "rows of it.",
            "Name a selection (see configs/respiratory_mtl.yaml).",
        )
    else:
        scans = read_respiratory_folders(root, warn)
    placed = assign_splits(scans, seed, source.valid_fraction, source.fractions.model_dump(), warn)
    return sorted(placed, key=lambda scan: (scan.modality, scan.id))


def _from_class_folders(root: Path, source: DataSource, seed: int, warn: Warn) -> list[Scan]:
    from pipeline.data.layouts.class_folders import read_class_folders
    from pipeline.data.layouts.class_mask_folders import read_class_mask_folders
    from pipeline.data.splitting.stratified_split import stratified_split

    read = read_class_mask_folders if source.layout == "class_masks" else read_class_folders
    scans = read(root, warn)
    if any(scan.split or scan.patient_id for scan in scans):
        scans = assign_splits(scans, seed, source.valid_fraction, source.fractions.model_dump(), warn)
    else:
        warn(f"{root}: no patient ids, so the split is by image and one patient may be on both sides.")
        scans = stratified_split(scans, source.fractions.model_dump())
    return sorted(scans, key=lambda scan: (scan.modality, scan.id))
