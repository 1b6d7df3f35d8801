"""A folder of scans, recognised: how a configuration would describe it, and its scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.data.layouts.data_source import DataSource, place_scans, read_labelled_scans, read_layout
from pipeline.data.layouts.patient_table import PATIENT_TABLES
from pipeline.data.reading.dicom_chain.header_facts import read_header_facts
from pipeline.data.recognition.layout_choice import LayoutChoice, choose_layout
from pipeline.data.scans import MODALITIES, Scan
from pipeline.engine.errors import DataError, UsageError
from pipeline.engine.seeds import derive_seed

# What `init` writes: with it `data check` makes the very split that the run will.
SEED = 2020
FIRST_STAGE = "s01_preprocessing"


@dataclass(frozen=True)
class Recognised:
    """root: the folder. choice: as what it is read. settings: `s01.data`, without what is default. raw: its scans, labels
    ungrouped. untold: how many of them nothing says the modality of. dicom: how many have a DICOM header. told_by: what tells
    the patients, "" where nothing does. notices: what reading them said."""

    root: Path
    choice: LayoutChoice
    settings: dict[str, Any]
    raw: list[Scan]
    untold: int
    dicom: int
    told_by: str
    notices: list[str] = field(default_factory=list)

    @property
    def source(self) -> DataSource:
        """The settings, validated."""
        return DataSource.model_validate(self.settings)

    def labelled(self) -> list[Scan]:
        """The scans by the settings, split only where the data is. Raises DataError, see `read_labelled_scans`."""
        return read_labelled_scans(self.root, self.source, lambda _: None)

    def placed(self, scans: Sequence[Scan], warn: Any) -> list[Scan]:
        """The scans with the split that a run makes. Raises DataError, see `place_scans`."""
        return place_scans(self.root, list(scans), self.source, derive_seed(SEED, FIRST_STAGE), warn)


def recognise(
    root: Path, *, layout: str | None = None, table: str | None = None, modality: str | None = None,
    labels: Mapping[str, str] | None = None, attributes: Sequence[str] = (),
) -> Recognised:  # fmt: skip
    """Look at a folder, and at what was said of it.

    layout, table: see `choose_layout`. modality: of scans of which nothing tells it; of data of both, the one that is read.
    labels: class name by label. attributes: further columns of a list.

    Raises DataError (see `choose_layout`, `read_layout`), UsageError.
    """
    choice, notices = choose_layout(root, layout, table), []
    settings: dict[str, Any] = {"layout": choice.layout} if choice.layout != "respiratory" else {}
    if choice.table:
        settings["manifest"] = choice.table
    if attributes and choice.layout != "list":
        raise UsageError(f"{root}: further columns are read of a list, and this is {choice.words}.", "Give a list with --list.")
    if attributes:
        settings["attribute_columns"] = tuple(attributes)
    raw = read_layout(root, DataSource.model_validate(settings | {"dicom_headers": True}), notices.append)
    headers = {scan.id: read_header_facts(scan.path) for scan in raw}
    told = {scan.id: scan.modality or (found.modality if (found := headers[scan.id]) else "") for scan in raw}
    dicom = sum(header is not None for header in headers.values())
    if dicom:
        settings["dicom_headers"] = True
    untold = sum(not name for name in told.values())
    if modality is not None and untold:
        settings["modality"] = modality
    elif modality is not None and set(told.values()) != {modality}:
        if modality not in told.values():
            raise DataError(f"{root}: holds no {modality} scan.", f"Leave --modality {modality} out.")
        settings["modalities"] = (modality,)
    if labels:
        settings["labels"] = dict(labels)
    pairs = zip(raw, headers.values(), strict=True)
    by_header = any(header and header.patient_id and not scan.patient_id for scan, header in pairs)
    told_by = _told_by(root, choice, raw, by_header)
    return Recognised(root, choice, settings, raw, 0 if modality else untold, dicom, told_by, notices)


def modalities_of(scans: Sequence[Scan]) -> list[str]:
    """The modalities of some scans, in their order."""
    present = {scan.modality for scan in scans}
    return [name for name in MODALITIES if name in present]


def _told_by(root: Path, choice: LayoutChoice, raw: Sequence[Scan], by_header: bool) -> str:
    told = []
    if any(scan.patient_id for scan in raw):
        table = next((name for name in PATIENT_TABLES if (root / name).is_file()), "")
        told.append(choice.table or table or "file names, as Kermany's are written")
    return " and ".join([*told, *(["DICOM headers"] if by_header else [])])
