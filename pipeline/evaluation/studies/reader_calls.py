"""Readers' calls with and without AI from CSV, as one fully crossed table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.data.csv_rows import read_rows
from pipeline.engine.errors import DataError, did_you_mean

COLUMNS = ("case_id", "reader_id", "with_ai", "call")
ARMS = ("without", "with")
NAMED = 5

Row = Mapping[str, str]


@dataclass(frozen=True)
class ReaderCalls:
    """A fully crossed study of N cases and J readers.

    case_ids, patient_ids: (N,) str ("": unknown); truth: (N,) bool; readers: J names; calls: (2, J, N) float64 in [0, 1],
    arm (ARMS), reader, case; warnings: sentences on rows that were left out.
    """

    case_ids: NDArray[np.str_]
    patient_ids: NDArray[np.str_]
    truth: NDArray[np.bool_]
    readers: tuple[str, ...]
    calls: NDArray[np.float64]
    warnings: tuple[str, ...] = ()

    @property
    def scored(self) -> bool:
        """Whether any call is more than a yes or no."""
        return not bool(np.isin(self.calls, (0.0, 1.0)).all())


def read_reader_calls(path: Path | str, truth_path: Path | str | None = None, positive: str | None = None) -> ReaderCalls:
    """Reads `case_id,reader_id,with_ai,call[,truth][,patient_id]`, one row a call.

    with_ai: 0 or 1; call: 0 or 1, or a score in [0, 1]; truth: 0 or 1, or a class name where `positive` names the positive
    class; it comes from `truth_path` (case_id,truth[,patient_id]) where that is given. Raises DataError, naming the file,
    for a missing column, a value out of range, a case without truth or with two, a call given twice, a reader or a case
    that lacks an arm, cases of one class.
    """
    path = Path(path)
    rows = _checked_columns(read_rows(path), COLUMNS if truth_path else (*COLUMNS, "truth"), path)
    truth = _truth(rows, path, None if truth_path is None else Path(truth_path), positive)
    cases, readers = _unique(rows, "case_id", path), _unique(rows, "reader_id", path)
    unknown = [case for case in cases if case not in truth]
    if unknown:
        source = truth_path if truth_path else path
        raise DataError(
            f"{path}: {len(unknown)} case(s) have no truth in {source}: {_named(unknown)}.",
            "Add their truth, or leave their calls out.",
        )
    calls = _crossed(rows, cases, readers, path)
    positives = np.array([truth[case][0] for case in cases])
    if positives.all() or not positives.any():
        raise DataError(f"{path}: all {len(cases)} cases are of one class.", "A reader study needs positive and negative cases.")
    unread = len(set(truth) - set(cases))
    return ReaderCalls(
        np.array(cases),
        np.array([truth[case][1] for case in cases]),
        positives,
        tuple(readers),
        calls,
        (f"{unread} case(s) of the truth table were read by nobody",) if unread else (),
    )


def _checked_columns(rows: list[dict[str, str]], needed: Sequence[str], path: Path) -> list[dict[str, str]]:
    found = list(rows[0])
    missing = [name for name in needed if name not in found]
    if missing:
        hint = "or name a table of the truth with --truth" if missing == ["truth"] else did_you_mean(missing[0], found).strip()
        raise DataError(
            f"{path} lacks the column(s) {', '.join(missing)}; it has {', '.join(found)}.", f"Add them, {hint}".rstrip(" ,")
        )
    return rows


def _truth(rows: list[dict[str, str]], path: Path, truth_path: Path | None, positive: str | None) -> dict[str, tuple[bool, str]]:
    """Truth and patient of each case. A case may have many rows, which must agree."""
    source = path if truth_path is None else truth_path
    if truth_path is not None:
        rows = _checked_columns(read_rows(truth_path), ("case_id", "truth"), truth_path)
    filled = [row for row in rows if row["truth"]]
    names = sorted({row["truth"] for row in filled})
    known = {"0": False, "1": True, "0.0": False, "1.0": True}
    if positive is not None:
        if positive not in names:
            raise DataError(f"{source}: no case has the truth {positive!r}; there are {_named(names)}.", "Name one of them.")
        known = {name: name == positive for name in names}
    strange = [name for name in names if name not in known]
    if strange:
        raise DataError(f"{source}: truth {strange[0]!r} is neither 0 nor 1.", "Name the positive class with --positive.")
    truth: dict[str, tuple[bool, str]] = {}
    for row in filled:
        made = known[row["truth"]], row.get("patient_id", "")
        if truth.setdefault(row["case_id"], made) != made:
            raise DataError(f"{source}: case {row['case_id']!r} has two truths or two patients.", "Give each case one.")
    return truth


def _unique(rows: Sequence[Row], column: str, path: Path) -> list[str]:
    names = list(dict.fromkeys(row[column] for row in rows))
    if "" in names:
        line = next(number for number, row in enumerate(rows, 2) if not row[column])
        raise DataError(f"{path}: line {line} has no {column}.", "Fill it in.")
    return names


def _crossed(rows: Sequence[Row], cases: Sequence[str], readers: Sequence[str], path: Path) -> NDArray[np.float64]:
    calls = np.full((2, len(readers), len(cases)), np.nan)
    case_place, reader_place = ({name: place for place, name in enumerate(names)} for names in (cases, readers))
    for number, row in enumerate(rows, 2):
        if row["with_ai"] not in ("0", "1"):
            raise DataError(f"{path}: line {number}: with_ai is {row['with_ai']!r}.", "Write 0 (without AI) or 1 (with AI).")
        place = int(row["with_ai"]), reader_place[row["reader_id"]], case_place[row["case_id"]]
        if not np.isnan(calls[place]):
            raise DataError(
                f"{path}: line {number}: reader {row['reader_id']!r} calls case {row['case_id']!r} "
                f"{ARMS[place[0]]} AI a second time.",
                "Keep one call for each reader, case and arm.",
            )
        calls[place] = _call(row["call"], number, path)
    _refuse_gaps(np.isnan(calls), cases, readers, path)
    return calls


def _call(text: str, number: int, path: Path) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not 0 <= value <= 1:
        raise DataError(f"{path}: line {number}: call {text!r} is not in 0 .. 1.", "Give 0, 1 or a score between them.")
    return value


def _refuse_gaps(missing: NDArray[np.bool_], cases: Sequence[str], readers: Sequence[str], path: Path) -> None:
    for arm, reader in np.argwhere(missing.all(axis=2)):
        raise DataError(
            f"{path}: reader {readers[reader]!r} has no calls {ARMS[arm]} AI.",
            "Every reader reads every case without and with AI: add them, or leave the reader out.",
        )
    if missing.any():
        arm, reader, case = np.argwhere(missing)[0]
        raise DataError(
            f"{path}: reader {readers[reader]!r} has no call of case {cases[case]!r} {ARMS[arm]} AI "
            f"({int(missing.sum())} such gap(s)).",
            "Every reader reads every case without and with AI: add the call, or leave the case out for all.",
        )


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
