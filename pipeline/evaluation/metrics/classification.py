"""Every metric of a classifier of K classes, for one set of rows or for many weightings of it; two classes are K = 2."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.errors import DataError, did_you_mean
from pipeline.evaluation.metrics.names import (
    AVERAGED,
    AVERAGES,
    CLASS_METRICS,
    MULTICLASS_METRICS,
    OVERALL,
    document_metrics,
)
from pipeline.evaluation.metrics.ranking import weighted_ranking
from pipeline.evaluation.tables.rows import Rows, class_position

Numbers = NDArray[np.float64]


class JudgedRows(NamedTuple):
    """What is read of rows: truth (N,), predicted (S, N), probabilities (S, N, K), or any scores for rankings, K names."""

    truth: Any
    predicted: Any
    probabilities: Any
    class_names: tuple[str, ...]


Judged = Rows | JudgedRows


def metric_arrays(rows: Judged, weights: Numbers, metrics: Iterable[str]) -> dict[str, Numbers]:
    """Metrics of S trainings under R weightings of the same rows: {metric: (R, S)}; NaN where undefined.

    weights: (R, N) >= 0 (ones: the plain metric). metrics: names of `pipeline.evaluation.metrics.names`; nothing else is
    computed. Macro and weighted means run over the classes that have rows before weighting, so that a resample which
    misses a class is undefined, not an easier task; AUC and average precision are of one class against the rest. `brier` is
    half the squared distance of Brier 1950 (Mon Weather Rev 78), in [0, 1] and for two classes the binary score; `log_loss`
    is in nats; `mcc` is Gorodkin's R_K (2004, Comput Biol Chem 28). Raises DataError for an unknown name.
    """
    judgements = [_Judgement(rows, seed, weights) for seed in range(rows.predicted.shape[0])]
    return {name: np.stack([judgement.metric(name) for judgement in judgements], axis=1) for name in metrics}


def metric_values(rows: Rows, metrics: Mapping[str, str] | None = None) -> dict[str, float | None]:
    """The mean over trainings of each metric, None where undefined (a denominator is zero), never a substitute.

    metrics: {name in the result: name in the grammar}; `document_metrics(rows)` where not said.
    """
    names = document_metrics(rows) if metrics is None else metrics
    made = metric_arrays(rows, np.ones((1, rows.truth.size)), names.values())
    return {name: defined(made[source][0].mean()) for name, source in names.items()}


def class_metrics(rows: Rows) -> dict:
    """MULTICLASS_METRICS, the confusion matrix and the per-class table of one answer a row; ready for json.dump.

    Returns {metric: float | None, "rows", "class_names", "classes_without_rows", "confusion": K lists of K counts, "per_class":
    {class: {metric of CLASS_METRICS: float | None, "support"}}} and, with a positive class, "positive_class" and
    "positive": its row of the table.
    """
    matrix = confusion_matrix(rows)
    of_class = {name: {metric: f"{metric}:{name}" for metric in CLASS_METRICS} for name in rows.class_names}
    per_class = {
        name: {**metric_values(rows, metrics), "support": int(matrix[place].sum())}
        for place, (name, metrics) in enumerate(of_class.items())
    }
    result = {
        **metric_values(rows, {name: name for name in MULTICLASS_METRICS}),
        "rows": int(rows.truth.size),
        "class_names": list(rows.class_names),
        "classes_without_rows": [name for name, row in per_class.items() if row["support"] == 0],
        "confusion": matrix.tolist(),
        "per_class": per_class,
    }
    if rows.positive_class is not None:
        result |= {"positive_class": rows.positive_class, "positive": dict(per_class[rows.positive_class])}
    return result


def confusion_matrix(rows: Rows) -> NDArray[np.intp]:
    """Counts (K, K) of the mean answer: true class down, predicted class across."""
    size = len(rows.class_names)
    cells = np.bincount(rows.truth * size + rows.mean().predicted[0], minlength=size * size)
    return cells.reshape(size, size)


def binary_counts(rows: Rows) -> dict[str, int]:
    """{"tn", "fp", "fn", "tp"} of the mean answer of two classes, one of them positive."""
    positive = rows.positive_place
    matrix = confusion_matrix(rows)
    order = (1 - positive, positive)
    counts = [int(matrix[true, said]) for true in order for said in order]
    return dict(zip(("tn", "fp", "fn", "tp"), counts, strict=True))


def defined(value: float) -> float | None:
    """The value as a Python float, or None where it is NaN or infinite."""
    return float(value) if np.isfinite(value) else None


class _Judgement:
    """One training's answers under R weightings; every number is made when it is first asked for."""

    def __init__(self, rows: Judged, seed: int, weights: Numbers) -> None:
        self.truth, self.names, self.weights = rows.truth, rows.class_names, weights
        self.predicted, self.scores = rows.predicted[seed], rows.probabilities[seed]
        self._rankings: dict[int, tuple[Numbers, Numbers]] = {}

    def metric(self, name: str) -> Numbers:
        """(R,) values of a name of the grammar."""
        metric, _, of_class = name.partition(":")
        if of_class and metric in CLASS_METRICS:
            return self._of_class(metric, class_position(of_class, self.names))
        average, _, averaged = name.partition("_")
        if average in AVERAGES and averaged in CLASS_METRICS:
            return self._average(average, averaged)
        if name not in _OVERALL:
            known = (*OVERALL, *(f"macro_{one}" for one in AVERAGED), *(f"{one}:{self.names[0]}" for one in CLASS_METRICS))
            raise DataError(f"There is no metric {name!r}.{did_you_mean(name, known)}", f"There are {', '.join(known)}.")
        with np.errstate(divide="ignore", invalid="ignore"):
            return _OVERALL[name](self)

    @cached_property
    def matrices(self) -> Numbers:
        """Confusion matrices (R, K, K), true class then predicted."""
        size = len(self.names)
        cells = np.zeros((self.truth.size, size * size))
        cells[np.arange(self.truth.size), self.truth * size + self.predicted] = 1.0
        return (self.weights @ cells).reshape(-1, size, size)

    @cached_property
    def total(self) -> Numbers:
        return self.weights.sum(axis=1)

    def _of_class(self, metric: str, place: int) -> Numbers:
        if metric in ("auc", "average_precision"):
            if place not in self._rankings:
                self._rankings[place] = weighted_ranking(self.truth == place, self.scores[:, place], self.weights)
            return self._rankings[place][metric != "auc"]
        matrices = self.matrices
        tp = matrices[:, place, place]
        fn, fp = matrices[:, place].sum(axis=1) - tp, matrices[:, :, place].sum(axis=1) - tp
        tn = matrices.sum(axis=(1, 2)) - tp - fn - fp
        part, whole = {
            "precision": (tp, tp + fp),
            "recall": (tp, tp + fn),
            "sensitivity": (tp, tp + fn),
            "specificity": (tn, tn + fp),
            "npv": (tn, tn + fn),
            "f1": (2 * tp, 2 * tp + fp + fn),
        }[metric]
        with np.errstate(divide="ignore", invalid="ignore"):
            return part / whole

    def _average(self, average: str, metric: str) -> Numbers:
        places = np.arange(len(self.names))
        if average != "mean":
            places = places[np.bincount(self.truth, minlength=len(places)) > 0]
        values = np.stack([self._of_class(metric, place) for place in places], axis=1)
        if average != "weighted":
            return values.mean(axis=1)
        support = self.matrices.sum(axis=2)[:, places]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.sum(np.where(support > 0, values * support, 0.0), axis=1) / support.sum(axis=1)

    def accuracy(self) -> Numbers:
        return np.trace(self.matrices, axis1=1, axis2=2) / self.total

    def cohen_kappa(self) -> Numbers:
        true, chosen = self.matrices.sum(axis=2), self.matrices.sum(axis=1)
        by_chance = np.sum(true * chosen, axis=1) / self.total**2
        return (self.accuracy() - by_chance) / (1 - by_chance)

    def mcc(self) -> Numbers:
        right, total = np.trace(self.matrices, axis1=1, axis2=2), self.total
        true, chosen = self.matrices.sum(axis=2), self.matrices.sum(axis=1)
        spread = (total**2 - np.sum(true**2, axis=1)) * (total**2 - np.sum(chosen**2, axis=1))
        return (right * total - np.sum(true * chosen, axis=1)) / np.sqrt(spread)

    def log_loss(self) -> Numbers:
        # scikit-learn's floor: a probability of zero for the truth costs 36 nats, not infinity
        surprise = -np.log(np.clip(self._of_truth, np.finfo(np.float64).eps, 1.0))
        return self.weights @ surprise / self.total

    def brier(self) -> Numbers:
        distance = np.sum(self.scores**2, axis=1) - 2 * self._of_truth + 1
        return self.weights @ distance / self.total / 2

    @property
    def _of_truth(self) -> Numbers:
        return self.scores[np.arange(self.truth.size), self.truth]


_OVERALL: dict[str, Callable[[_Judgement], Numbers]] = {
    "accuracy": _Judgement.accuracy,
    "balanced_accuracy": lambda judgement: judgement.metric("macro_recall"),
    "cohen_kappa": _Judgement.cohen_kappa,
    "mcc": _Judgement.mcc,
    "log_loss": _Judgement.log_loss,
    "brier": _Judgement.brier,
}
