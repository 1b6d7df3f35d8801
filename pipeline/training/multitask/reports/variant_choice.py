"""Which variant a run stands for: validation decides, the test part is not asked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipeline.evaluation.metrics.classification import metric_values
from pipeline.evaluation.metrics.names import binary_names
from pipeline.evaluation.tables.rows import Rows


def choose_variant(validation: Mapping[str, Mapping[str, Rows]]) -> dict:
    """The variant with the highest mean validation AUC over modalities; a tie goes to the lower Brier score.

    Returns ``{"variants", "chosen", "rule", "validation": {variant: {modality: {"auc", "brier", "accuracy"}}}}``.
    """
    scores = {
        variant: {name: _scores(table) for name, table in tables.items()}
        for variant, tables in validation.items()
    }
    order = sorted(
        scores, key=lambda variant: (-_mean(scores[variant], "auc"), _mean(scores[variant], "brier"))
    )
    return {
        "variants": list(scores),
        "chosen": order[0],
        "rule": "highest mean validation AUC over X-ray, CT and pairs; ties by Brier score",
        "validation": scores,
    }


def _scores(rows: Rows) -> dict[str, float | None]:
    return metric_values(rows.mean(), binary_names(str(rows.positive_class), ("auc", "brier", "accuracy")))


def _mean(scores: Mapping[str, Mapping[str, float]], metric: str) -> float:
    return float(np.mean([by_metric[metric] for by_metric in scores.values()]))
