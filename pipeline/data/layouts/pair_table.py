"""Tables of pairs: rows that name an X-ray, a CT, or both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.data.csv_rows import read_rows, require_columns
from pipeline.data.image_paths import file_of
from pipeline.data.patient_ids import known_patient
from pipeline.data.scans import CT, XRAY
from pipeline.engine.errors import DataError

COPIED_COLUMNS = ("label", "patient_id", "patient_id_ct")


@dataclass(frozen=True, slots=True)
class PairRow:
    """One row of a table: the scans of a pair, either may be None. `copied`: columns that go through to the answers."""

    id: str
    xray: Path | None
    ct: Path | None
    copied: Mapping[str, str] = field(default_factory=dict)

    @property
    def modalities(self) -> list[str]:
        """The modalities that the row names a scan of."""
        return [name for name, scan in ((XRAY, self.xray), (CT, self.ct)) if scan is not None]

    @property
    def scans(self) -> list[Path]:
        """The files that the row names."""
        return [scan for scan in (self.xray, self.ct) if scan is not None]


def read_pairs(table: Path) -> list[PairRow]:
    """Rows of a CSV with the columns id and xray or ct or both; cells of scans may be empty.

    A relative path is looked up beside the table, then in the working folder. Columns of COPIED_COLUMNS are kept.
    Raises DataError: no table, no such column (did-you-mean), an empty or repeated id.
    """
    rows = read_rows(table)
    columns = list(rows[0])
    require_columns(table, rows, "id", *(() if CT in columns else (XRAY,)), needed="Needed are id and xray, ct or both.")
    pairs = [
        PairRow(
            row["id"],
            find_scan(row.get(XRAY, ""), table.parent),
            find_scan(row.get(CT, ""), table.parent),
            copied_cells(row),
        )
        for row in rows
    ]
    refuse_repeated_ids((pair.id for pair in pairs), table)
    return pairs


def copied_cells(row: Mapping[str, str]) -> dict[str, str]:
    """What goes through to the answers of a row: COPIED_COLUMNS, ids that are missing as ""."""
    return {name: row[name] if name == "label" else known_patient(row[name]) for name in COPIED_COLUMNS if name in row}


def find_scan(cell: str, folder: Path) -> Path | None:
    """A cell's file: beside the table, else in the working folder; None for an empty cell."""
    return file_of(cell, folder, Path())


def refuse_repeated_ids(ids: Iterable[str], table: Path) -> None:
    """Raise DataError for an id that is empty or stands twice: answers are matched to rows by it."""
    seen: dict[str, int] = {}
    for number, key in enumerate(ids, start=1):
        if not key:
            raise DataError(f"{table}: row {number} has no id.", "Give every row its own id.")
        if key in seen:
            raise DataError(f"{table}: id {key!r} stands in row {seen[key]} and in row {number}.", "Give every row its own id.")
        seen[key] = number
