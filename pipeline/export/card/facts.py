"""What a model card speaks of, whatever the system."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.export.card import tables

NOT_A_DEVICE = (
    "**This is not a medical device.** It has not been cleared by any authority and must not be used to diagnose, "
    "to triage, to rule out disease or to decide on treatment."
)


@dataclass(frozen=True)
class Card:
    """``bundle.json`` without its file table, the run's ``dataset.json`` ({} for an import), data terms, files."""

    document: Mapping[str, Any]
    dataset: Mapping[str, Any]
    data_terms: Sequence[Mapping]
    extra_text: str
    files: Mapping[str, Mapping]


def write_sections(card: Card, sections: Sequence[Callable[[Card], str]]) -> str:
    """The whole card as Markdown; a section without text is left out."""
    return "\n\n".join(text for section in sections if (text := section(card).strip())) + "\n"


def parity_section(card: Card, header: Sequence[str], rounded: str, detailed: bool = False) -> str:
    """How far the graphs are from Keras. rounded: what is said where kernels are stored in float16."""
    parity = card.document["parity"]
    stored = rounded if card.document["stored_precision"] == "float16" else "Weights are stored in float32."
    rows = [
        [name, *([check["against"], f"{check['rows']:,}"] if detailed else []), f"{check['max_difference']:.1e}"]
        for name, check in sorted(parity["checks"].items())
    ]
    return f"""## Parity with Keras

{stored} Largest difference {parity["keras_max_difference"]:.1e}, limit {parity["limit"]:.0e} (`{parity["measure"]}`).

{tables.table(header, rows)}"""
