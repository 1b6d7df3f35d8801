"""A list of scans: a row an image with its label, and patient, split, modality, source and mask where it tells them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.data.class_names import class_name
from pipeline.data.csv_rows import read_rows
from pipeline.data.image_paths import file_of, normal_path
from pipeline.data.layouts.lists.list_columns import REQUIRED, ListColumns, find_columns
from pipeline.data.patient_ids import known_patient
from pipeline.data.scans import Scan
from pipeline.data.words import MODALITY_WORDS, SPLIT_WORDS, meaning_of
from pipeline.engine.errors import DataError, did_you_mean

# How programs write a cell in which there is nothing.
EMPTY = frozenset({"", "nan", "<na>", "null", "#n/a"})


def read_scan_list(
    csv: Path, root: Path, columns: ListColumns, modality: str | None = None, attributes: Sequence[str] = ()
) -> list[Scan]:
    """Every row of a list as a scan, in its order.

    csv: see `ListColumns`. root: the data folder, below which images are looked up, then beside the list. modality: of rows
    whose list has no such column; None leaves it "". attributes: further columns that go along. A scan's id is its image's path.

    Raises DataError: a column (see `find_columns`), an empty cell of an image or a label (EMPTY), a word for the split or the
    modality that means none (did-you-mean), an image twice, no image of all on disk.
    """
    rows = read_rows(csv)
    found = find_columns(csv, list(rows[0]), columns)
    for name in attributes:
        if name not in rows[0]:
            raise DataError(f"{csv}: no column {name!r}.{did_you_mean(name, rows[0])}", f"Its columns: {', '.join(rows[0])}.")
    scans, files = dict[str, Scan](), dict[Path, str]()
    for number, row in enumerate(rows, start=1):
        told = {what: "" if row[name].casefold() in EMPTY else row[name] for what, name in found.items()}
        for what in REQUIRED:
            if not told[what]:
                written = f" ({row[found[what]]!r})" if row[found[what]] else ""
                raise DataError(f"{csv}: row {number} has no {what}{written}.", "Fill its cell, or take the row out.")
        key, path = normal_path(told["image"]), file_of(told["image"], root, csv.parent) or root
        if key in scans or files.setdefault(path.resolve(), key) != key:
            first = files.get(path.resolve(), key)
            raise DataError(f"{csv}: {first} stands there twice (again in row {number}).", "Give each image one row.")
        where = f"{csv}: row {number}"
        scans[key] = Scan(
            key, path,
            _word(told.get("modality", ""), MODALITY_WORDS, where, found.get("modality", "")) or modality or "",
            class_name(told["label"]), known_patient(told.get("patient", "")),
            _word(told.get("split", ""), SPLIT_WORDS, where, found.get("split", "")), told.get("source", ""),
            file_of(told.get("mask", ""), root, csv.parent), {name: row[name] for name in attributes},
        )  # fmt: skip
    if not any(scan.path.is_file() for scan in scans.values()):
        raise DataError(
            f"{csv}: none of its {len(scans)} images is below {root} or beside the list (first: {next(iter(scans))}).",
            "Write paths and suffixes as the files have them, or give --data the folder that the paths are relative to.",
        )
    return list(scans.values())


def _word(cell: str, words: dict[str, str], where: str, column: str) -> str:
    """What a cell means; "" for an empty one. Raises DataError for a word that means nothing."""
    meaning = meaning_of(cell, words)
    if cell and meaning is None:
        raise DataError(f"{where}: {column} is {cell!r}, which is no {' or '.join(dict.fromkeys(words.values()))}."
                        f"{did_you_mean(cell, words)}", f"Write one of: {', '.join(words)}.")  # fmt: skip
    return meaning or ""
