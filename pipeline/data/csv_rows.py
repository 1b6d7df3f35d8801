"""CSV tables as rows of text, so that an id such as `0012` stays what it is."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from pipeline.engine.errors import DataError, did_you_mean
from pipeline.engine.files import atomic_write_text

Cell = float | int | str | None
# Spreadsheets of many languages write semicolons. The one that a header has most of, outside of quotes, parts the cells.
SEPARATORS = (",", ";", "\t")
_QUOTED = re.compile(r'"[^"]*"')


def read_rows(path: Path) -> list[dict[str, str]]:
    """Every row as {column: text, stripped}; absent cells are "".

    Semicolons or tabs part cells where the header has more of them than commas.

    Raises DataError: missing, empty, not UTF-8, two columns of one name, or a row of more cells than there are columns.
    """
    header, *rows = _cells(path) or [[]]
    if twice := [name for name, count in Counter(header).items() if name and count > 1]:
        raise DataError(f"{path}: more than one column is called {twice[0]!r}.", "Rename one, or take it out.")
    for number, row in enumerate(rows, start=1):
        if any(row[len(header) :]):
            raise DataError(f"{path}: row {number} has {len(row)} cells and the header {len(header)}.",
                            'Write a cell that holds a comma in quotes: "a, b".')  # fmt: skip
    if not rows:
        raise DataError(f"{path}: the table has no rows.", "It needs a header line and a line per image.")
    return [dict(zip(header, [*row, *[""] * len(header)], strict=False)) for row in rows]


def read_header(path: Path) -> list[str]:
    """The names of a table's columns, [] of an empty file. Raises DataError: missing, not UTF-8."""
    return next(iter(_cells(path, 1)), [])


def _cells(path: Path, most: int | None = None) -> list[list[str]]:
    """The lines that are not blank, up to so many, each as its cells, stripped."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            first = next((line for line in stream if line.strip()), "")
            parted = max(SEPARATORS, key=_QUOTED.sub("", first).count)
            stream.seek(0)
            lines = (line for line in csv.reader(stream, delimiter=parted) if line)
            cells = [[cell.strip() for cell in line] for line in islice(lines, most)]
    except FileNotFoundError as cause:
        raise DataError(f"{path}: no such table.", "Check the path.") from cause
    except (OSError, UnicodeDecodeError, csv.Error) as cause:
        raise DataError(f"{path}: cannot be read as a CSV table ({cause}).", "Save it as UTF-8 CSV.") from cause
    if any("\0" in cell for line in cells for cell in line):
        raise DataError(f"{path}: a cell holds the character NUL, which no text has.", "Save it as UTF-8 CSV.")
    return cells


def require_columns(path: Path, rows: Sequence[Mapping[str, str]], *names: str, needed: str = "") -> None:
    """Raise DataError for the first of `names` that is no column of the rows (did-you-mean).

    needed: what the table must have, said before the columns that it has.
    """
    for name in names:
        if name not in rows[0]:
            near = did_you_mean(name, rows[0])
            raise DataError(f"{path}: no column {name!r}.{near}", f"{needed} Its columns: {', '.join(rows[0])}.".lstrip())


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a table, whole or not at all; numbers with float32's 9 digits, nothing for None."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([f"{cell:.9g}" if isinstance(cell, float) else cell for cell in row] for row in rows)
    atomic_write_text(path, text.getvalue())
