"""Many cases through one bundle: each is answered, or named with the reason why not; and their table, predictions.csv."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from pipeline.data.csv_rows import write_rows
from pipeline.data.layouts.pair_table import COPIED_COLUMNS, PairRow
from pipeline.data.reading.scan_reader import decoding_apart
from pipeline.data.scans import PAIRED
from pipeline.engine.arrays import Array
from pipeline.engine.errors import DataError
from pipeline.inference.answers import TITLES, Answer, Cell, Finding
from pipeline.inference.bundle import Manifest
from pipeline.inference.given_scan import RefusedScanError
from pipeline.inference.opened_bundle import OpenedBundle
from pipeline.inference.seen.words import TOLD, keyed, strongest

PREDICTIONS = "predictions.csv"
LABEL = "label"
FINDING_COLUMNS = ("id", "modality", "probability", "predicted", "error")
# What the gate took the scan for, how far it lies from the scans that the bundle learnt from, whether it is one of them, and what
# to be wary of.
TOLD_COLUMNS = ("gate", "distance", "distance_threshold", "seen", "warnings")
_NAMED = 5


class Case(Protocol):
    """What is answered. id: its name in tables and messages, "" for a note alone. copied: columns that go through to its row."""

    @property
    def id(self) -> str: ...

    @property
    def copied(self) -> Mapping[str, str]: ...


@dataclass(frozen=True)
class AnsweredRow:
    """A case's row: its name, its answer, and what was known of it beforehand."""

    id: str
    answer: Answer
    copied: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return self.copied.get(LABEL, "")

    @property
    def scans(self) -> list[Finding]:
        """The findings of its scans, without that of the pair, whose failure is one of theirs."""
        return [finding for finding in self.answer.findings if finding.modality != PAIRED]


AnyCase = TypeVar("AnyCase", bound=Case)


def answer_rows(cases: Iterable[AnyCase], ask: Callable[[AnyCase], Answer]) -> Iterator[AnsweredRow]:
    """Ask about the cases one after the other; one that cannot be used is named in its row, and the rest go on.

    ask: gives what is to be kept of the answer (`Answer.without_pictures`), and may draw or compare before it lets go of it.
    Scans of several cases are decoded in processes of their own, so that a file that breaks its decoder costs one answer.
    """
    coming = iter(cases)
    first = list(islice(coming, 2))
    for case in chain(first, coming):
        try:
            with decoding_apart(len(first) > 1):
                answer = ask(case)
        except RefusedScanError as refusal:
            answer = Answer((refusal.judged.mark(Finding("", error=refusal.message)),))
        except DataError as error:
            answer = Answer.failed(error.message)
        yield AnsweredRow(case.id, answer, case.copied)


def answer_all(
    cases: Iterable[AnyCase], ask: Callable[[AnyCase], Answer], keep: Callable[[list[AnsweredRow]], None] | None = None
) -> list[AnsweredRow]:
    """`answer_rows` of all cases. Whatever stops it in between, an interruption too: `keep` is given what was answered until
    then, to be put on disk, before it is raised."""
    rows: list[AnsweredRow] = []
    try:
        rows.extend(answer_rows(cases, ask))
    except BaseException:
        if keep is not None and rows:
            keep(rows)
        raise
    return rows


def ask_pair(opened: OpenedBundle[Manifest], pair: PairRow) -> Answer:
    """Ask a bundle of both modalities about a pair; a row that names no scan is one without an answer."""
    if not pair.scans:
        return Answer.failed("the row names neither an X-ray nor a CT")
    return opened.answer(xray=pair.xray, ct=pair.ct).without_pictures()


def answer_pairs(
    opened: OpenedBundle[Manifest], pairs: Iterable[PairRow], keep: Callable[[list[AnsweredRow]], None] | None = None
) -> list[AnsweredRow]:
    """`ask_pair` about each; see `answer_all`."""
    return answer_all(pairs, lambda pair: ask_pair(opened, pair), keep)


def failures(rows: Iterable[AnsweredRow]) -> list[tuple[AnsweredRow, Finding]]:
    """Each scan without an answer."""
    return [(row, finding) for row in rows for finding in row.scans if finding.error is not None]


def count_scans(rows: Iterable[AnsweredRow]) -> int:
    """How many scans were asked about; a row that names none counts as one."""
    return sum(len(row.scans) for row in rows)


def seen_cases(rows: Sequence[AnsweredRow]) -> dict[str, list[str]] | None:
    """{"trained_on": ids, "chosen_on": ids} of the cases with a scan that the bundle has seen; None where it does not say."""
    known = {row.id: strongest(finding.seen for finding in row.answer.findings) for row in rows}
    if not any(known.values()):
        return None
    return {keyed(word): [name for name, seen in known.items() if seen == word] for word in TOLD}


def seen_counts(rows: Sequence[AnsweredRow]) -> dict[str, int] | None:
    """How many of the cases `seen_cases` names."""
    found = seen_cases(rows)
    return {name: len(ids) for name, ids in found.items()} if found is not None else None


def failure_summary(rows: Sequence[AnsweredRow], what: str = "images") -> list[str]:
    """Lines for people: how many have no answer, and the first of them; [] where all have, or for a single one, whose error
    `refuse_all_failed` tells."""
    failed, asked = failures(rows), count_scans(rows)
    if not failed or asked == 1:
        return []
    refused = sum(finding.refused for _, finding in failed)
    gate = f" ({refused} refused by the gate)" if refused else ""
    named = [f"  {_named(row, finding)}: {finding.error}" for row, finding in failed[:_NAMED]]
    more = [f"  … and {len(failed) - _NAMED} more"] if len(failed) > _NAMED else []
    return [f"warning: {len(failed)} of {asked} {what} have no answer{gate}:", *named, *more]


def refuse_all_failed(rows: Sequence[AnsweredRow], what: str = "images") -> None:
    """Raise DataError where there is no answer at all."""
    failed = failures(rows)
    if len(failed) < count_scans(rows):
        return
    row, first = failed[0]
    if not row.id:
        raise DataError(first.error or "", "Give an image, or a note that describes the case.")
    mend = "--no-gate answers what the gate refuses." if first.refused else f"Mend the paths or the {what}."
    raise DataError(f"None of the {len(failed)} {what} has an answer (first: {_named(row, first)}: {first.error})", mend)


def refuse_many_failures(rows: Sequence[AnsweredRow], limit: float, table: Path, what: str = "images") -> None:
    """Raise DataError where a larger share than `limit` has no answer; `table` names them."""
    failed, asked = failures(rows), count_scans(rows)
    if len(failed) > limit * asked:
        row, first = failed[0]
        raise DataError(
            f"{len(failed)} of {asked} {what} have no answer (limit {limit:.0%}; first: {_named(row, first)}: {first.error}); "
            f"{table} names them.",
            "Mend or remove them, or raise --max-unreadable.",
        )


def feature_rows(rows: Sequence[AnsweredRow]) -> Array:
    """Features (N, F) float32, in the order of the rows; NaN where there is no answer."""
    known = [row.answer.features for row in rows if row.answer.features is not None]
    found = np.full((len(rows), known[0].size), np.nan, np.float32)
    for place, row in enumerate(rows):
        if row.answer.features is not None:
            found[place] = row.answer.features
    return found


def write_findings_table(path: Path, rows: Sequence[AnsweredRow], class_names: Sequence[str] = ()) -> None:
    """Write the answers by modality, a row a finding: FINDING_COLUMNS, of COPIED_COLUMNS those that are known, prob_<class> of
    each of more than two classes, TOLD_COLUMNS."""
    named = class_names if len(class_names) > 2 else ()
    copied = [name for name in COPIED_COLUMNS if any(name in row.copied for row in rows)]
    lines = [
        [row.id, finding.modality, finding.probability, finding.predicted, finding.error,
         *(row.copied.get(name) for name in copied), *map(finding.probabilities.get, named),
         *told_columns(row.answer, finding).values()]
        for row in rows for finding in row.answer.findings
    ]  # fmt: skip
    write_rows(path, [*FINDING_COLUMNS, *copied, *(f"prob_{name}" for name in named), *TOLD_COLUMNS], lines)


def told_columns(answer: Answer, finding: Finding | None = None) -> dict[str, Cell]:
    """What stands below TOLD_COLUMNS for one finding of an answer, by default its own."""
    mine = finding if finding is not None else answer.findings[0]
    cells: dict[str, Cell] = {name: getattr(mine, name) for name in TOLD_COLUMNS if name != "warnings"}
    return cells | {"warnings": " ".join(answer.warnings if finding is None else finding.warnings)}


def write_class_table(
    path: Path, rows: Sequence[AnsweredRow], class_names: Sequence[str], label: str = LABEL, measured: Sequence[str] = ()
) -> None:
    """Write the answers by class, a row a case.

    Columns: image, predicted, confidence, prob_<class> of each, error, then label (called `label`), patient_id and
    patient_id_ct where any is known, `measured`, those of the answers' `extra`, and TOLD_COLUMNS.
    """
    copied = [name for name in COPIED_COLUMNS if any(row.copied.get(name) for row in rows)]
    extra = list(dict.fromkeys([*measured, *(name for row in rows for name in row.answer.extra)]))
    lines: list[list[Cell]] = [
        [row.id, row.answer.predicted, row.answer.confidence, *map(row.answer.probabilities.get, class_names), row.answer.error,
         *map(row.copied.get, copied), *map(row.answer.extra.get, extra), *told_columns(row.answer).values()]
        for row in rows
    ]  # fmt: skip
    told = [label if name == LABEL else name for name in copied]
    shares = [f"prob_{name}" for name in class_names]
    write_rows(path, ["image", "predicted", "confidence", *shares, "error", *told, *extra, *TOLD_COLUMNS], lines)


def _named(row: AnsweredRow, finding: Finding) -> str:
    return f"{row.id} {TITLES.get(finding.modality, '')}".rstrip()
