"""JSON of a run as lines to be read: where a value stands, and the value; intervals in a word."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.engine.interval_text import interval_text
from pipeline.service.runs.run_files import AbsentError

SHOWN_LINES = 500
MOST_BYTES = 4 << 20
# Of a list's text, beyond which its length is told.
LONGEST = 120
INTERVAL = {"value", "low", "high"}


@dataclass(frozen=True)
class Document:
    """The first SHOWN_LINES lines (the keys that lead to a value, the value), and how many there are."""

    lines: list[tuple[str, str]]
    count: int


def document_of(content: bytes) -> Document:
    """Raises AbsentError for what is no JSON."""
    try:
        lines = list(_lines(json.loads(content), ""))
    except (ValueError, RecursionError) as cause:
        raise AbsentError("It is no JSON.") from cause
    return Document(lines[:SHOWN_LINES], len(lines))


def _lines(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value and not _is_interval(value):
        for key, inner in value.items():
            yield from _lines(inner, f"{place} › {key}" if place else key)
    elif isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        for number, inner in enumerate(value, 1):
            yield from _lines(inner, f"{place} {number}".strip())
    else:
        yield place, _told(value)


def _is_interval(value: dict[str, Any]) -> bool:
    return set(value) == INTERVAL and all(each is None or isinstance(each, int | float) for each in value.values())


def _told(value: Any) -> str:
    if isinstance(value, dict) and value:
        return interval_text(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str):
        return value
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST or not isinstance(value, list) else f"({len(value)})"
