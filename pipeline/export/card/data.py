"""Parts that the cards of several systems share: a figure with its interval, and whose data it was."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.engine.interval_text import interval_text
from pipeline.export.card import tables as tables
from pipeline.export.card.facts import Card


def shown_interval(entry: Mapping | None) -> str:
    """``0.912 [0.873, 0.950]``; the value alone without an interval; ``undefined`` without a value."""
    return interval_text(entry or {})


def data_section(card: Card, afterwards: str = "") -> str:
    """Counts, terms, what was found of leakage (and said afterwards) and the run's warnings, as the card's section on data."""
    dataset = card.dataset
    leakage = dataset.get("leakage") or []
    statement = (
        "**Leakage was allowed, so the scores above are flattered:** " + " ".join(leakage) if leakage
        else "No known patient and no identical image is on both sides of the split."
    )  # fmt: skip
    warnings = "\n".join(f"- {text}" for text in card.document["training"]["warnings"])
    parts = [
        "## Data and their terms",
        card.extra_text.strip(),
        tables.counts_table(dataset["counts"]) if dataset.get("counts") else "",
        tables.terms_table(card.data_terms),
        "Terms are those that the data folder's own manifest states. No scan is part of this bundle. Weights learnt from scans "
        "under a non-commercial licence, or under none, are for research only.",
        statement + afterwards,
        f"Warnings of the run:\n\n{warnings}" if warnings else "",
    ]
    return "\n\n".join(part for part in parts if part)
