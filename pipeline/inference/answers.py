"""What is said of a scan or of a pair of scans."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

XRAY, CT, PAIRED = "xray", "ct", "paired"
TITLES = {XRAY: "X-ray", CT: "CT", PAIRED: "Paired"}


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of one head.

    modality: "xray", "ct" or "paired" ("" for a row that names no scan). probability: of the positive class,
    in [0, 1]; None where there is no answer. predicted: class name, or None. error: why there is no answer, or None.
    """

    modality: str
    probability: float | None = None
    predicted: str | None = None
    error: str | None = None


def failures(answers: Iterable[Answer]) -> list[Answer]:
    """The answers that carry an error of their own; a pair without one of its halves is not counted again."""
    return [answer for answer in answers if answer.error is not None and answer.modality != PAIRED]


def all_failed(answers: Iterable[Answer]) -> bool:
    """Whether there is not one probability among the answers."""
    return all(answer.probability is None for answer in answers)
