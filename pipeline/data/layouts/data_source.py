"""Where a run's scans come from, as its configuration says it, and the scans themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from pipeline.data.class_names import grouped, refuse_alike_names, refuse_uneven_classes
from pipeline.data.layouts.lists.dicom_headers import FactsOf, told_by_headers
from pipeline.data.layouts.lists.list_columns import ListColumns
from pipeline.data.layouts.lists.scan_list import read_scan_list
from pipeline.data.layouts.manifest_selection import ManifestSelection, read_selected_scans
from pipeline.data.layouts.respiratory_folders import has_respiratory_folders, read_respiratory_folders
from pipeline.data.masks.mask_labels import read_mask_labels
from pipeline.data.reading.dicom_chain.header_facts import read_header_facts
from pipeline.data.scans import MODALITIES, TEST, TRAIN, VALID, XRAY, Scan, Warn, warn_python
from pipeline.data.splitting.splits import DEFAULT_FRACTIONS, assign_splits, refuse_one_class
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

    layout: Literal["respiratory", "class_masks", "class_folders", "list"] = "respiratory"
    """`respiratory`: the four folders, whatever classes lie inside, or, with a selection, a manifest; `class_masks`:
    `{class}/images` with `{class}/masks`; `class_folders`: `{class}` or `{train,val,test}/{class}`; `list`: a table with an
    image and its label in each row."""
    modality: Literal["xray", "ct"] | None = None
    """Of class folders, and of a list without such a column; null: DICOM headers tell it, class folders are X-rays."""
    modalities: tuple[Literal["xray", "ct"], ...] = Field(default=("xray", "ct"), min_length=1)
    """Those that are read of the four folders or of a list; scans of the other are left out."""
    labels: dict[str, str] = {}
    """Class name by label, to bring labels together or to leave some out, where no selection does; empty: each is a class."""
    dicom_headers: bool = False
    """Headers of DICOM files tell the patient and the modality where folders and tables do not."""
    columns: ListColumns = ListColumns()
    """The columns of a list that are not called as usual."""
    attribute_columns: tuple[str, ...] = ()
    """Further columns of a list that later stages read: notes, age, sex, view."""
    selection: tuple[ManifestSelection, ...] = ()
    """Rows of a manifest that are scans of the run; empty for folders."""
    manifest: str = "manifest.csv"
    """The path of the manifest or of the list, relative to the data folder."""
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


    @property
    def all_attributes(self) -> tuple[str, ...]:
        """The further columns that are read of a list or of any selection."""
        return (*self.attribute_columns, *(name for chosen in self.selection for name in chosen.attribute_columns))


def read_scans(root: Path, source: DataSource, seed: int, warn: Warn = warn_python) -> list[Scan]:
    """The scans of a data folder by the configuration, each with a split, sorted by (modality, id).

    Raises DataError, see `read_labelled_scans`, `assign_splits`.
    """
    return place_scans(root, read_labelled_scans(root, source, warn), source, seed, warn)


def read_labelled_scans(
    root: Path, source: DataSource, warn: Warn = warn_python, facts_of: FactsOf = read_header_facts
) -> list[Scan]:
    """The scans of a data folder by the configuration, with the splits that the data names and no others.

    facts_of: see `told_by_headers`.

    Raises DataError, see `read_respiratory_folders`, `read_class_folders`, `read_class_mask_folders`, `read_scan_list`,
    `read_selected_scans`; for classes of alike names, and for modalities of other classes than each other.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder.", "Give --data the folder that holds the scans.")
    if source.selection:
        scans = read_selected_scans(root / source.manifest, root, source.selection, warn)
        refuse_alike_names(scan.label for scan in scans)
        return scans
    scans = read_layout(root, source, warn)
    if source.dicom_headers:
        scans = told_by_headers(scans, warn, facts_of)
    if unknown := [scan.id for scan in scans if not scan.modality]:
        raise DataError(f"{unknown[0]}: nothing tells whether it is an X-ray or a CT slice ({len(unknown)} of {len(scans)}).",
                        "Say s01.data.modality, or give the list a column modality.")  # fmt: skip
    scans = grouped([scan for scan in scans if scan.modality in source.modalities], source.labels, warn)
    refuse_alike_names(scan.label for scan in scans)
    refuse_uneven_classes(scans)
    return scans


def place_scans(root: Path, scans: list[Scan], source: DataSource, seed: int, warn: Warn = warn_python) -> list[Scan]:
    """The scans each with a split, sorted by (modality, id): by patient wherever one is known, else image by image.

    Raises DataError, see `assign_splits`, `stratified_split` and `refuse_one_class`.
    """
    from pipeline.data.splitting.stratified_split import stratified_split

    if source.layout in ("respiratory", "list") or any(scan.split or scan.patient_id for scan in scans):
        scans = assign_splits(scans, seed, source.valid_fraction, source.fractions.model_dump(), warn)
    else:
        warn(f"{root}: no patient ids, so the split is by image and one patient may be on both sides.")
        scans = stratified_split(scans, source.fractions.model_dump())
        refuse_one_class(scans)
    return sorted(scans, key=lambda scan: (scan.modality, scan.id))


def read_layout(root: Path, source: DataSource, warn: Warn) -> list[Scan]:
    """The scans of folders or of a list as they lie there: labels ungrouped, headers not asked, a modality "" where untold."""
    if source.layout == "list":
        return read_scan_list(root / source.manifest, root, source.columns, source.modality, source.attribute_columns)
    if source.layout == "respiratory":
        if not has_respiratory_folders(root) and (root / source.manifest).is_file():
            raise DataError(
                f"{root}: holds {source.manifest} and not the four folders, but the configuration selects no rows of it.",
                "Name a selection (see configs/respiratory_mtl.yaml), or say s01.data.layout: list.",
            )
        return read_respiratory_folders(root, warn, [name for name in MODALITIES if name in source.modalities])
    from pipeline.data.layouts.class_folders import class_folder_scans, read_class_folders
    from pipeline.data.layouts.class_mask_folders import read_class_mask_folders

    # Where headers are asked, they have the last word on the modality and on who is unknown.
    modality = source.modality or ("" if source.dicom_headers else XRAY)
    if source.layout == "class_masks":
        return read_class_mask_folders(root, warn, modality=modality)
    return (class_folder_scans if source.dicom_headers else read_class_folders)(root, warn, modality)
