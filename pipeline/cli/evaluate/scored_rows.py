"""A bundle's answers on labelled cases as rows to be scored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.evaluation.tables.rows import Rows
    from pipeline.inference.answered_rows import AnsweredRow
    from pipeline.inference.bundle import Manifest


def scored_rows(manifest: Manifest, answered: Sequence[AnsweredRow]) -> Rows:
    """The cases that have an answer, with the class that the bundle itself named."""
    from pipeline.evaluation.tables.rows import Rows

    names, mine = manifest.class_names, [row for row in answered if row.answer.error is None]
    return Rows(
        truth=[names.index(row.label) for row in mine],
        probabilities=[[row.answer.probabilities[name] for name in names] for row in mine],
        class_names=names,
        patients=[row.copied.get("patient_id", "") for row in mine],
        positive_class=manifest.positive_class if manifest.class_threshold is not None else None,
        threshold=0.5 if manifest.class_threshold is None else manifest.class_threshold,
        predicted=[names.index(row.answer.predicted) for row in mine],
    )
