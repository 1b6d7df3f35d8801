"""Tables of pairs to be answered, and tables of answers."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.data.csv_rows import read_rows
from pipeline.engine.errors import DataError, StorageError, UsageError, did_you_mean
from pipeline.engine.files import atomic_write_text
from pipeline.inference.answers import CT, XRAY, Answer

ANSWER_COLUMNS = ("id", "modality", "probability", "predicted", "error")
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


AnsweredRow = tuple[PairRow, Sequence[Answer]]


def read_pairs(table: Path) -> list[PairRow]:
    """Rows of a CSV with the columns id and xray or ct or both; cells of scans may be empty.

    A relative path is looked up beside the table, then in the working folder. Columns of COPIED_COLUMNS are kept.
    Raises DataError: no table, no such column (did-you-mean), an empty or repeated id.
    """
    rows = read_rows(table)
    columns = list(rows[0])
    if "id" not in columns or not {XRAY, CT} & set(columns):
        missing = "id" if "id" not in columns else XRAY
        raise DataError(
            f"{table}: no column {missing!r}.{did_you_mean(missing, columns)}",
            f"Needed are id and xray, ct or both; its columns: {', '.join(columns)}.",
        )
    copied = [name for name in COPIED_COLUMNS if name in columns]
    pairs = [
        PairRow(
            row["id"],
            find_scan(row.get(XRAY, ""), table.parent),
            find_scan(row.get(CT, ""), table.parent),
            {name: row[name] for name in copied},
        )
        for row in rows
    ]
    refuse_repeated_ids(pairs, table)
    return pairs


def find_scan(cell: str, folder: Path) -> Path | None:
    """A cell's file: beside the table, else in the working folder; None for an empty cell."""
    if not cell:
        return None
    beside = folder / cell
    return beside if beside.exists() or not Path(cell).exists() else Path(cell)


def refuse_repeated_ids(rows: Iterable[PairRow], table: Path) -> None:
    """Raise DataError for an id that is empty or stands twice: answers are matched to rows by it."""
    seen: dict[str, int] = {}
    for number, row in enumerate(rows, start=1):
        if not row.id:
            raise DataError(f"{table}: row {number} has no id.", "Give every row its own id.")
        if row.id in seen:
            raise DataError(
                f"{table}: id {row.id!r} stands in row {seen[row.id]} and in row {number}.", "Give every row its own id."
            )
        seen[row.id] = number


def refuse_overwriting(outputs: Iterable[Path], sources: Iterable[Path]) -> None:
    """Raise UsageError where an output would fall on a file that is read, under whatever name or link."""
    existing = {_identity(path): path for path in outputs if path.exists()}
    if not existing:
        return
    for source in sources:
        if source.exists() and _identity(source) in existing:
            output = existing[_identity(source)]
            raise UsageError(f"{output} would overwrite its own source {source}.", "Give --out another place.")


def _identity(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_dev, stat.st_ino


def prepare_output(path: Path) -> None:
    """Make the folder of an output before long work begins. Raises UsageError, StorageError where it cannot be written."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder.", "Give --out the name of a file.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise StorageError(f"{path.parent}: cannot be made ({cause.strerror}).", "Give --out another place.") from cause
    if not os.access(path.parent, os.W_OK):
        raise StorageError(f"{path.parent}: cannot be written to.", "Give --out another place.")


def write_answers(path: Path, answered: Sequence[AnsweredRow]) -> None:
    """Write the table of answers, whole or not at all: a row a modality, probabilities with float32's 9 digits."""
    copied = [name for name in COPIED_COLUMNS if any(name in row.copied for row, _ in answered)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*ANSWER_COLUMNS, *copied])
    writer.writerows(_cells(answered, copied))
    atomic_write_text(path, text.getvalue())


def _cells(answered: Iterable[AnsweredRow], copied: Sequence[str]) -> Iterator[list[str]]:
    for row, answers in answered:
        for answer in answers:
            probability = "" if answer.probability is None else f"{answer.probability:.9g}"
            yield [row.id, answer.modality, probability, answer.predicted or "", answer.error or "",
                   *(row.copied.get(name, "") for name in copied)]  # fmt: skip
