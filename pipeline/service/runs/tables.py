"""Tables of a run: those of numbers alone are shown. What has a row a scan or a patient stays in the run's folder."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import IO

from pipeline.service.runs.run_files import AbsentError

SHOWN_ROWS = 200
# Characters of a number that is shown as it is written; of a longer one six digits are.
SHORT = 8
MOST_BYTES = 16 << 20
# Words of columns that tell whose a row is, wherever they stand in a name, and as its last: `image`, not `image_size`.
TELLING = frozenset({"id", "ids", "patient", "patients", "subject", "uid", "accession", "mrn", "birth", "note", "notes", "text", "sha1"})
TELLING_LAST = frozenset({
    "image", "images", "file", "files", "path", "paths", "name", "scan", "scans", "case", "cases", "no", "number", "study", "series",
    "age", "sex", "date", "row",
})  # fmt: skip
_WORDS = re.compile(r"[^a-z0-9]+")
_NO_NUMBERS = ("", "true", "false")


@dataclass(frozen=True)
class Table:
    """A heading, the first SHOWN_ROWS rows, their long numbers shortened, and how many there are."""

    columns: list[str]
    rows: list[list[str]]
    count: int


def table_of(stream: IO[bytes]) -> Table:
    """A table of numbers. Raises AbsentError for any other: it may tell of patients, or is no table."""
    try:
        reader = csv.reader(io.TextIOWrapper(stream, "utf-8-sig", newline=""))
        columns = next(reader, [])
        if any(map(_tells_whose, columns)):
            raise AbsentError("It has a row for each scan or patient: it is not shown.")
        rows: list[list[str]] = []
        count = 0
        for written in reader:
            row = [cell.strip() for cell in written]
            if not all(map(_is_number, row)):
                raise AbsentError("It holds words, which may tell of patients: it is not shown.")
            count += 1
            if len(rows) < SHOWN_ROWS:
                rows.append([cell if len(cell) <= SHORT else f"{float(cell):.6g}" for cell in row])
    except (UnicodeDecodeError, csv.Error) as cause:
        raise AbsentError("It is no table in UTF-8.") from cause
    return Table(columns, rows, count)


def _tells_whose(column: str) -> bool:
    words = [word for word in _WORDS.split(column.lower()) if word]
    return bool(TELLING & set(words)) or (bool(words) and words[-1] in TELLING_LAST)


def _is_number(cell: str) -> bool:
    if cell.lower() in _NO_NUMBERS:
        return True
    try:
        float(cell)
    except ValueError:
        return False
    return True
