"""Which variant a run stands for: validation decides, the test part is not asked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipeline.evaluation.metrics.classification import metric_values
from pipeline.evaluation.metrics.names import document_metrics, metric_words
from pipeline.evaluation.tables.rows import Rows

NAMED = {"xray": "X-ray", "ct": "CT", "paired": "pairs"}


def choose_variant(validation: Mapping[str, Mapping[str, Rows]]) -> dict:
    """The variant with the highest mean validation AUC over modalities; a tie goes to the lower Brier score. Of more than two
    classes it is the macro AUC: the mean of each class against the rest.

    Returns ``{"variants", "chosen", "rule", "validation": {variant: {modality: {"auc" or "macro_auc", "brier",
    "accuracy"}}}}``.
    """
    scores = {
        variant: {name: _scores(table) for name, table in tables.items()}
        for variant, tables in validation.items()
    }
    tables = next(iter(validation.values()))
    auc = _auc(next(iter(tables.values())))
    order = sorted(scores, key=lambda variant: (-_mean(scores[variant], auc), _mean(scores[variant], "brier")))
    *first, last = (NAMED[name] for name in tables)
    over = f" over {', '.join(first)} and {last}" if first else ""
    return {
        "variants": list(scores),
        "chosen": order[0],
        "rule": f"highest {'mean ' if first else ''}validation {metric_words(auc)}{over}; ties by Brier score",
        "validation": scores,
    }


def _scores(rows: Rows) -> dict[str, float | None]:
    names = document_metrics(rows)
    return metric_values(rows.mean(), {name: names[name] for name in (_auc(rows), "brier", "accuracy")})


def _auc(rows: Rows) -> str:
    return "auc" if rows.is_binary else "macro_auc"


def _mean(scores: Mapping[str, Mapping[str, float]], metric: str) -> float:
    return float(np.mean([by_metric[metric] for by_metric in scores.values()]))
