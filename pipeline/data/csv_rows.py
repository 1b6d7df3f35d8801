"""CSV tables as rows of text, so that an id such as `0012` stays what it is."""

from __future__ import annotations

import csv
from pathlib import Path

from pipeline.engine.errors import DataError


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
