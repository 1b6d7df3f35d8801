"""Results of repeated patient-grouped splits, one row of metrics for each split."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.errors import DataError


@dataclass(frozen=True)
class Resplits:
    """Metrics of every arm and modality on K resplits.

    metrics: names of the M columns. values: arm -> modality -> (K, M) float; the same split in the same row
    for every arm; NaN where a metric is undefined in a split. test_train_ratio: n_test / n_train of a split,
    one number or one for each modality. Raises DataError where shapes do not agree.
    """

    metrics: tuple[str, ...]
    values: dict[str, dict[str, NDArray]]
    test_train_ratio: float | dict[str, float]

    def __post_init__(self) -> None:
        folds: dict[str, int] = {}
        for arm, modalities in self.values.items():
            for modality, array in modalities.items():
                shape = np.shape(array)
                if len(shape) != 2 or shape[1] != len(self.metrics):
                    raise DataError(
                        f"Resplit metrics of {arm}, {modality} have shape {shape}, "
                        f"expected (K, {len(self.metrics)}).",
                        "Give one row for each split and one column for each metric.",
                    )
                if folds.setdefault(modality, shape[0]) != shape[0]:
                    raise DataError(
                        f"{modality}: arm {arm} has {shape[0]} resplits, another has {folds[modality]}.",
                        "Pair the arms on the same splits.",
                    )

    def ratio(self, modality: str) -> float:
        """n_test / n_train of the modality's splits. Raises DataError if it is not given."""
        if not isinstance(self.test_train_ratio, dict):
            return float(self.test_train_ratio)
        if modality not in self.test_train_ratio:
            raise DataError(f"No n_test / n_train ratio for {modality}.", "Add it to test_train_ratio.")
        return float(self.test_train_ratio[modality])

    def column(self, arm: str, modality: str, metric: str) -> NDArray[np.float64] | None:
        """(K,) values, or None where the arm has no such modality or metric."""
        array = self.values.get(arm, {}).get(modality)
        if array is None or metric not in self.metrics:
            return None
        return np.asarray(array, dtype=np.float64)[:, self.metrics.index(metric)]

    def summary(self) -> dict:
        """{modality: {arm: {metric: {"mean", "sd", "folds"}}}} over the splits that define the metric."""
        document: dict = {}
        for arm, modalities in self.values.items():
            for modality in modalities:
                entry = document.setdefault(modality, {}).setdefault(arm, {})
                for metric in self.metrics:
                    column = self.column(arm, modality, metric)
                    kept = np.empty(0) if column is None else column[np.isfinite(column)]
                    entry[metric] = {
                        "mean": float(kept.mean()) if kept.size else None,
                        "sd": float(kept.std(ddof=1)) if kept.size > 1 else None,
                        "folds": int(kept.size),
                    }
        return document
