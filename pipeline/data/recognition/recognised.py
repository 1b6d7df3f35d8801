"""A folder of scans, recognised: how a configuration would describe it, and its scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.data.layouts.data_source import DataSource, place_scans, read_labelled_scans, read_layout
from pipeline.data.layouts.lists.dicom_headers import told_by_headers
from pipeline.data.layouts.patient_table import MANIFEST, patient_table_in
from pipeline.data.layouts.respiratory_folders import modalities_there
from pipeline.data.layouts.scan_files import refuse_missing_folder
from pipeline.data.layouts.unsorted_scans import read_any_folder
from pipeline.data.reading.dicom_chain.header_facts import HeaderFacts, read_header_facts
from pipeline.data.recognition.layout_choice import LayoutChoice, choose_layout, find_layout, lists_there
from pipeline.data.scans import MODALITIES, Scan, Warn
from pipeline.engine.errors import DataError, UsageError
from pipeline.engine.seeds import derive_seed

# What `init` writes: with it `data check` makes the very split that the run will.
SEED = 2020
FIRST_STAGE = "s01_preprocessing"


@dataclass(frozen=True)
class Recognised:
    """root: the folder. choice: as what it is read. settings: `s01.data`, without what is default. raw: its scans, labels
    ungrouped. untold: how many of them nothing says the modality of. headers: what the DICOM header of each file tells, None
    where it has none. told_by: what tells the patients, "" where nothing does. notices: what reading them said."""

    root: Path
    choice: LayoutChoice
    settings: dict[str, Any]
    raw: list[Scan]
    untold: int
    headers: dict[Path, HeaderFacts | None]
    told_by: str
    notices: list[str] = field(default_factory=list)

    @property
    def dicom(self) -> int:
        """How many of the scans have a DICOM header."""
        return sum(header is not None for header in self.headers.values())

    def facts_of(self, path: Path) -> HeaderFacts | None:
        """What the DICOM header of a file tells; it is read again only of a file that had none, or has come since."""
        return self.headers.get(path) or read_header_facts(path)

    @property
    def source(self) -> DataSource:
        """The settings, validated."""
        return DataSource.model_validate(self.settings)

    def labelled(self) -> list[Scan]:
        """The scans by the settings, split only where the data is. Raises DataError, see `read_labelled_scans`."""
        return read_labelled_scans(self.root, self.source, lambda _: None, self.facts_of)

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
    if choice.layout == "respiratory" and modality in (there := modalities_there(root)) and len(there) > 1:
        settings["modalities"] = (modality,)
    raw = read_layout(root, DataSource.model_validate(settings | {"dicom_headers": True}), notices.append)
    headers = {scan.path: read_header_facts(scan.path) for scan in raw}
    told = {scan.id: scan.modality or (found.modality if (found := headers[scan.path]) else "") for scan in raw}
    if any(headers.values()):
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
    by_header = any((header := headers[scan.path]) and header.patient_id and not scan.patient_id for scan in raw)
    told_by = _told_by(root, choice, raw, by_header)
    return Recognised(root, choice, settings, raw, 0 if modality else untold, headers, told_by, notices)


def undescribed_scans(root: Path, warn: Warn, layout: str | None = None, table: str | None = None) -> list[Scan]:
    """The scans of a folder as it is recognised; where nothing tells what they show, each is labelled by its folder.

    Of a manifest and folders beside it the manifest is read, unless layout or table say otherwise. Raises as `recognise`, and
    DataError where there is no scan.
    """
    refuse_missing_folder(root, "the scans")
    if layout is table is None and not modalities_there(root) and MANIFEST in lists_there(root, strict=False):
        table = MANIFEST
    if find_layout(root, layout, table) is None:
        warn(f"{root}: nothing here says what the scans show: each is labelled by its folder.")
        return read_any_folder(root, warn)
    found = recognise(root, layout=layout, table=table)
    for notice in found.notices:
        warn(notice)
    return told_by_headers(found.raw, warn, found.facts_of) if found.dicom else found.raw


def modalities_of(scans: Sequence[Scan]) -> list[str]:
    """The modalities of some scans, in their order."""
    present = {scan.modality for scan in scans}
    return [name for name in MODALITIES if name in present]


def _told_by(root: Path, choice: LayoutChoice, raw: Sequence[Scan], by_header: bool) -> str:
    told = []
    if any(scan.patient_id for scan in raw):
        table = patient_table_in(root)
        told.append(choice.table or (table.name if table else "") or "file names, as Kermany's are written")
    return " and ".join([*told, *(["DICOM headers"] if by_header else [])])
