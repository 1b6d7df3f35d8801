"""CSV tables as rows of text, so that an id such as `0012` stays what it is."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.engine.errors import DataError, did_you_mean
from pipeline.engine.files import atomic_write_text

Cell = float | int | str | None


def read_rows(path: Path) -> list[dict[str, str]]:
    """Every row as {column: text, stripped}; absent cells are "". Raises DataError: missing, empty, not
    UTF-8."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = [
                {column: (cell or "").strip() for column, cell in row.items() if column is not None}
                for row in csv.DictReader(stream)
            ]
    except FileNotFoundError as cause:
        raise DataError(f"{path}: no such table.", "Check the path.") from cause
    except (OSError, UnicodeDecodeError, csv.Error) as cause:
        raise DataError(
            f"{path}: cannot be read as a CSV table ({cause}).", "Save it as UTF-8 CSV."
        ) from cause
    if not rows:
        raise DataError(f"{path}: the table has no rows.", "It needs a header line and a line per image.")
    return rows


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
