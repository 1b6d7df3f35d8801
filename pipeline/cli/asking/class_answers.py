"""What `segment` and `classify` make of many answers: the table, the failures, a document and its words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import typer

from pipeline.inference.activation.overlays import METHODS
from pipeline.inference.answered_rows import AnsweredRow, failure_summary, refuse_all_failed, seen_counts
from pipeline.inference.seen.words import seen_words

SHOWN = 10


def settle_rows(rows: Sequence[AnsweredRow], write: Callable[[], None] | None = None, what: str = "images") -> None:
    """Write the table, name the failures; raises DataError where there is no answer at all."""
    if write is not None:
        write()
    for line in failure_summary(rows, what):
        typer.echo(line, err=True)
    refuse_all_failed(rows, what)


def answers_document(rows: Sequence[AnsweredRow], out: Path | None) -> dict[str, Any]:
    """The answers as JSON values, with their counts and how much of the heat maps lies in the lungs, on average."""
    answered = sum(row.answer.error is None for row in rows)
    shares = {
        method: [row.answer.extra[key] for row in rows if (key := f"{method}_lung_energy") in row.answer.extra]
        for method in METHODS
    }
    return {
        "out": str(out) if out is not None else None,
        "images": len(rows),
        "answered": answered,
        "failed": len(rows) - answered,
        "seen": seen_counts(rows),
        "mean_lung_energy": {method: _mean(values) for method, values in shares.items() if values},
        "answers": [
            {"image": row.id, "true_class": row.label or None, **row.answer.findings[0].to_dict(), **row.answer.extra,
             "warnings": list(row.answer.warnings)}
            for row in rows
        ],
    }  # fmt: skip


def _mean(values: Sequence[Any]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def answer_lines(document: dict[str, Any], told: Callable[[dict[str, Any]], list[str]], lungs: str = "lungs") -> list[str]:
    """The first answers in the words of `told`, how many more there are, and the heat maps' shares in the lungs."""
    answered = [answer for answer in document["answers"] if answer["error"] is None]
    lines = []
    for answer in answered[:SHOWN]:
        lines += [*told(answer), *([f"  note: {' '.join(answer['warnings'])}"] if answer["warnings"] else [])]
    if len(answered) > SHOWN:
        lines.append(f"… and {len(answered) - SHOWN} more")
    for method, share in document["mean_lung_energy"].items():
        said = "no map with lungs to compare" if share is None else f"{share:.1%} of it lies in the {lungs}, on average"
        lines.append(f"{METHODS[method]}: {said}.")
    # Of one image its own note says it.
    if document["images"] > 1 and document["seen"] is not None:
        lines.append(seen_words(document["seen"], document["images"], "images"))
    return lines
