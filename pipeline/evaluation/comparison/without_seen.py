"""A comparison without the scans that one of its bundles learnt from, beside the one of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas

from pipeline.engine.errors import DataError
from pipeline.evaluation.comparison.document import build_comparison
from pipeline.evaluation.tables.rows import Arms

COLUMN = "seen"
# How tables of answers call what documents call so.
WORDS = {"trained_on": "trained on", "chosen_on": "chosen on"}
Facts = Mapping[str, Mapping[str, pandas.DataFrame]]


def seen_findings(arms: Arms, facts: Facts, controls: Sequence[str] = ()) -> dict[str, Any] | None:
    """How many of the compared scans each arm's bundle has seen, and the comparison of those that none of them has.

    facts: of `read_predictions`. Returns {"arms": {arm: {modality: {"trained_on", "chosen_on"}}}, "without_seen": a comparison's
    document; None where every scan or no scan is left out, or one class is left};
    None where no table says anything.
    """
    counts: dict[str, dict[str, dict[str, int]]] = {}
    left_out: dict[str, set[str]] = {}
    for arm, tables in arms.items():
        for modality, rows in tables.items():
            table = facts.get(arm, {}).get(modality)
            if table is None or COLUMN not in table or not table[COLUMN].any():
                continue
            mine = table[table["id"].isin(rows.ids)]
            told = {name: mine["id"][mine[COLUMN] == word] for name, word in WORDS.items()}
            counts.setdefault(arm, {})[modality] = {name: len(ids) for name, ids in told.items()}
            left_out.setdefault(modality, set()).update(*told.values())
    if not counts:
        return None
    return {"arms": counts, "without_seen": _without(arms, left_out, controls)}


def _without(arms: Arms, left_out: Mapping[str, set[str]], controls: Sequence[str]) -> dict[str, Any] | None:
    every = set().union(*left_out.values())
    if not every:
        return None
    kept: Arms = {arm: {} for arm in arms}
    for arm, tables in arms.items():
        for modality, rows in tables.items():
            # A table that says nothing of its own, as that of masks, is of the same scans.
            places = np.flatnonzero(~np.isin(rows.ids, list(left_out.get(modality, every))))
            if places.size:
                kept[arm][modality] = rows.select(places)
    try:
        document = build_comparison({arm: tables for arm, tables in kept.items() if tables}, controls=controls)
    except DataError:
        return None
    return {name: value for name, value in document.items() if name != "schema_version"}
