"""Results of repeated patient-grouped splits, one row of metrics for each split."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.engine.errors import DataError
from pipeline.evaluation.metrics.classification import metric_arrays, metric_values
from pipeline.evaluation.metrics.names import document_metrics, tested_metrics
from pipeline.evaluation.tables.rows import Rows

# of a positive class of two, in the order of the columns that stages store
FOLD_METRICS = ("accuracy", "auc", "balanced_accuracy", "sensitivity", "specificity", "f1")


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


def fold_metrics(rows: Rows) -> tuple[str, ...]:
    """The metrics that are stored of the test rows of a split: FOLD_METRICS, or of more than two classes the tested ones."""
    return FOLD_METRICS if rows.is_binary else tuple(tested_metrics(rows))


def fold_values(rows: Rows) -> list[float]:
    """`fold_metrics` of the test rows of one split; NaN where undefined."""
    names = document_metrics(rows)
    made = metric_values(rows, {name: names[name] for name in fold_metrics(rows)})
    return [np.nan if value is None else float(value) for value in made.values()]


def out_of_fold_resplits(arms: Mapping[str, Rows], folds: ArrayLike, modality: str) -> Resplits:
    """The tested metrics on each fold, of out-of-fold answers of the same rows in the same order.

    folds: (N,) number or name of the fold in which a row was tested. Raises DataError for one fold, another number of rows,
    or a patient whose rows were tested in different folds.
    """
    first = next(iter(arms.values()))
    names, numbers = np.unique(np.asarray(folds), return_inverse=True)
    if numbers.shape != first.truth.shape or names.size < 2:
        raise DataError(
            f"Folds have shape {np.shape(folds)} and {names.size} value(s).", "Pass the fold of each row, two or more."
        )
    codes = first.clusters
    if any(np.unique(numbers[codes == cluster]).size > 1 for cluster in np.unique(codes)):
        raise DataError("Rows of one patient were tested in different folds.", "Make the folds by patient.")
    inside = (numbers[None, :] == np.arange(names.size)[:, None]).astype(np.float64)
    sizes = inside.sum(axis=1)
    tested = tested_metrics(first)
    values = {}
    for arm, rows in arms.items():
        made = metric_arrays(rows.mean(), inside, tested.values())
        values[arm] = {modality: np.stack([made[source][:, 0] for source in tested.values()], axis=1)}
    return Resplits(tuple(tested), values, float(np.mean(sizes / (numbers.size - sizes))))
