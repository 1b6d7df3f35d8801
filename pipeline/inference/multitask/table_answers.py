"""A whole table of pairs through one predictor, and the table of its answers."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.data.layouts.pair_table import COPIED_COLUMNS, PairRow
from pipeline.engine.errors import DataError
from pipeline.engine.files import atomic_write_text
from pipeline.inference.answers import TITLES, Answer, failures
from pipeline.inference.multitask.predictor import Predictor

ANSWER_COLUMNS = ("id", "modality", "probability", "predicted", "error")
AnsweredRow = tuple[PairRow, Sequence[Answer]]
_NO_SCAN = Answer("", error="the row names neither an X-ray nor a CT")
_NAMED = 5


@dataclass(frozen=True)
class TableAnswers:
    """Every row with its answers, and what failed."""

    answered: Sequence[AnsweredRow]

    @property
    def asked(self) -> int:
        """How many scans were asked about (a row without any counts as one)."""
        return sum(max(1, len(row.modalities)) for row, _ in self.answered)

    @property
    def failed(self) -> list[tuple[PairRow, Answer]]:
        """Each scan without an answer."""
        return [(row, answer) for row, answers in self.answered for answer in failures(answers)]

    def failure_summary(self) -> list[str]:
        """Lines for people: how many scans failed, and the first of them; [] where none did."""
        failed = self.failed
        if not failed:
            return []
        named = [f"  {row.id} {TITLES.get(answer.modality, '')}: {answer.error}" for row, answer in failed[:_NAMED]]
        more = [f"  … and {len(failed) - _NAMED} more"] if len(failed) > _NAMED else []
        return [f"warning: {len(failed)} of {self.asked} scans have no answer:", *named, *more]

    def refuse_all_failed(self, where: str) -> None:
        """Raise DataError where there is no answer at all."""
        if len(self.failed) == self.asked:
            _, first = self.failed[0]
            raise DataError(
                f"{where}: none of the {self.asked} scans has an answer (first: {first.error})", "Mend the paths or the scans."
            )


def answer_table(
    predictor: Predictor, rows: Sequence[PairRow], track: Callable[[Iterable[PairRow]], Iterable[PairRow]] = iter
) -> TableAnswers:
    """Answer every row; an unreadable scan is an error in its own answer, and the rest go on."""
    return TableAnswers(
        [(row, predictor.answer(row.xray, row.ct) if row.scans else [_NO_SCAN]) for row in track(rows)]
    )


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
