"""What hiding the modality costs: how well each shared extractor itself, without the heads, still reads the diagnosis."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipeline.data.scan_index import ModalityIndex
from pipeline.evaluation.metrics.names import tested_metrics
from pipeline.evaluation.statistics.intervals import Interval, metric_intervals
from pipeline.training.multitask.reports.prediction_frame import split_tables


def extractor_diagnosis(
    indexes: Mapping[str, ModalityIndex], probabilities: Mapping[str, Mapping[str, np.ndarray]], seed: int
) -> dict[str, dict[str, Interval]]:
    """``{variant: {modality: AUC}}`` on the validation scans, mean over trainings with its interval by patient.

    probabilities: ``{variant: {modality: (S, N) or, of K classes, (S, N, K)}}``, of the extractors' own last layer. Of more than
    two classes the macro AUC.
    """
    made: dict[str, dict[str, Interval]] = {}
    for variant, by_modality in split_tables(indexes, None, probabilities, "valid").items():
        for modality, rows in by_modality.items():
            (auc,) = (source for name, source in tested_metrics(rows).items() if name.endswith("auc"))
            made.setdefault(variant, {})[modality] = metric_intervals(rows, {"auc": auc}, seed=seed)["auc"]
    return made
