"""How a bundle's weights did on their own test part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


class Figure(NamedTuple):
    """A metric on a test part, with its 95 % interval by patient."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ScoredPart:
    """Scores on scans that neither trained nor chose the weights.

    modality: "xray", "ct" or "paired". rows, patients: how many; None where that is not told. figures: by the names that
    documents have.
    """

    modality: str
    rows: int | None
    patients: int | None
    figures: Mapping[str, Figure]


def scored_part(modality: str, metrics: Mapping[str, Any], rows: Any = None, patients: Any = None) -> ScoredPart:
    """Of a document's metrics; what has no interval is left out."""
    found = {
        name: Figure(*(float(told[end]) for end in Figure._fields))
        for name, told in metrics.items()
        if isinstance(told, Mapping) and all(isinstance(told.get(end), int | float) for end in Figure._fields)
    }
    return ScoredPart(modality, _count(rows), _count(patients), found)


def _count(told: Any) -> int | None:
    return told if isinstance(told, int) else None


def part_of(document: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """What stands below these names; {} where nothing does."""
    found: Any = document
    for name in names:
        found = found.get(name, {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}
