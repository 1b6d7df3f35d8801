"""A whole table of pairs through one predictor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pipeline.engine.errors import DataError
from pipeline.inference.answers import TITLES, Answer, failures
from pipeline.inference.multitask.pair_table import AnsweredRow, PairRow
from pipeline.inference.multitask.predictor import Predictor

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
