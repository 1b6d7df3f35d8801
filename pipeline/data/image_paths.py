"""Paths of images as tables write them: Windows separators, accents composed or not, beside the table or absolute."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path
from unicodedata import normalize


def normal_path(written: str) -> str:
    """A path with forward slashes, composed accents and no `.` or `..` that need not be there."""
    return posixpath.normpath(normalize("NFC", written.replace("\\", "/")))


def file_of(cell: str, *folders: Path) -> Path | None:
    """The file that a table's cell means, looked up in each folder in turn; None for an empty cell.

    As it is written; else with forward slashes, with composed and with decomposed accents. Where none is there, the path in
    the first folder, for a message to name.
    """
    if not cell:
        return None
    found = (folder / way for folder in folders for way in _ways(cell))
    return next((path for path in found if path.exists()), folders[0] / cell)


def _ways(cell: str) -> Iterator[str]:
    yield cell
    slashes = cell.replace("\\", "/")
    yield from (normalize(form, slashes) for form in ("NFC", "NFD"))
