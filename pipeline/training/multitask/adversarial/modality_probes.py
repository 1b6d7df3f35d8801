"""Does the modality still show? Three fresh probes of different kinds ask, and the strongest one is believed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import pairwise_distances
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from pipeline.data.splitting.splits import grouped_folds
from pipeline.engine.errors import DataError
from pipeline.engine.seeds import derive_seed
from pipeline.evaluation.comparison.alignment_words import CHANCE
from pipeline.evaluation.metrics.classification import metric_arrays
from pipeline.evaluation.metrics.names import binary_names
from pipeline.evaluation.statistics.clusters import bootstrap_weights, cluster_codes
from pipeline.evaluation.statistics.intervals import Interval, interval_of
from pipeline.evaluation.tables.rows import UNNAMED, Rows

Weighting = Literal["cells", "modality"]
Numbers = NDArray[np.float64]
Answers = dict[str, Numbers]

PROBES = ("linear", "mlp", "neighbours")
REPORTED = ("balanced_accuracy", "auc")
FOLDS = 3
NEIGHBOURS = 5
RESAMPLES = 1000
BLOCK_NUMBERS = 4_000_000


@dataclass(frozen=True)
class ProbedRows:
    """Rows of both modalities: ``modality`` (X-ray 1, CT 0), ``labels`` and ``patients`` ``(N,)``, and row numbers.

    fit: rows that a probe always learns from. held: rows that it answers; it learns from those of other patients too.
    """

    modality: np.ndarray
    labels: np.ndarray
    patients: np.ndarray
    fit: np.ndarray
    held: np.ndarray

    def cells(self, rows: np.ndarray, weighting: Weighting) -> np.ndarray:
        """Number of the group, of those that weigh alike, to which each of the rows belongs: ``(n,)``."""
        modality = self.modality[rows].astype(np.intp)
        return modality if weighting == "modality" else 2 * self.labels[rows].astype(np.intp) + modality


def held_out_answers(features: np.ndarray, rows: ProbedRows, seed: int, weighting: Weighting = "cells") -> Answers:
    """Probability of "X-ray" that each fresh probe gives the held rows: ``{probe: (n_held,)}``.

    features: ``(N, K)``. Cross-fitted: the held rows' patients are dealt into folds, and the rows of a fold are
    answered by probes fitted on ``rows.fit`` and on the other folds. Features are standardised on the rows that a
    probe learns from, and every cell of modality × label (or each modality) has the same weight in its loss.
    Raises DataError for NaN, or rows without one of the modalities.
    """
    values = _checked(features, rows)
    answers = {name: np.zeros(len(rows.held)) for name in PROBES}
    for number, (learnt, asked) in enumerate(_folds(rows, seed)):
        scale = StandardScaler().fit(values[learnt])
        given, wanted = scale.transform(values[learnt]), scale.transform(values[rows.held[asked]])
        weights = even_weights(rows.cells(learnt, weighting))
        for name, ask in _PROBES.items():
            probe_seed = derive_seed(seed, name, number) % 2**32
            answers[name][asked] = ask(given, rows.modality[learnt].astype(np.intp), weights, wanted, probe_seed)
    return answers


def probe_scores(answers: Mapping[str, np.ndarray], rows: ProbedRows, seed: int = 0, weighting: Weighting = "cells",
                 resamples: int = RESAMPLES) -> dict:  # fmt: skip
    """How well each probe told the modality of the held rows.

    answers: ``{probe: (n_held,)}``, or ``(S, n_held)`` of S trainings, of which the mean is taken. Scores weigh the cells
    of modality × label alike (or the modalities), in every resample of whole patients too.

    Returns ``{"probes": {probe: {"balanced_accuracy", "auc": {"value", "low", "high"}, "by_training": (S,)}}, "strongest":
    probe, "floor": balanced accuracy that the label alone allows, "weighting", "counts": {cell: rows}}``.
    """
    cells = rows.cells(rows.held, weighting)
    truth, clusters = rows.modality[rows.held], cluster_codes(rows.patients[rows.held])
    draws = _even_in_every_row(bootstrap_weights(clusters, resamples, seed).astype(np.float64), cells)
    once = _even_in_every_row(np.ones((1, len(truth))), cells)
    probes = {}
    for name, given in answers.items():
        told = Rows.binary(truth, np.atleast_2d(given))
        probes[name] = {metric: _interval(told, metric, once, draws) for metric in REPORTED}
        probes[name]["by_training"] = _draws(told, "balanced_accuracy", once)[0].tolist()
    return {
        "probes": probes,
        "strongest": max(probes, key=lambda name: probes[name]["balanced_accuracy"]["value"]),
        "floor": CHANCE if weighting == "cells" else label_floor(rows),
        "weighting": weighting,
        "counts": _counts(rows),
    }


def probe_modality(features: np.ndarray, rows: ProbedRows, seed: int, weighting: Weighting = "cells") -> dict:
    """``probe_scores`` of ``held_out_answers``."""
    return probe_scores(held_out_answers(features, rows, seed, weighting), rows, seed, weighting)


def label_floor(rows: ProbedRows) -> float:
    """Balanced accuracy at which the label alone tells the modality of the held rows: 0.5 where it tells nothing."""
    modality, labels = rows.modality[rows.held] == 1, rows.labels[rows.held]
    shares = [np.array([np.mean(labels[side] == label) for label in np.unique(labels)]) for side in (modality, ~modality)]
    return float(np.maximum(*shares).sum() / 2)


def even_weights(cells: np.ndarray) -> Numbers:
    """A weight for each row ``(n,)``, mean 1, such that every cell that has rows weighs alike."""
    counts = np.bincount(cells)
    return len(cells) / (np.count_nonzero(counts) * counts[cells])


def _even_in_every_row(weights: Numbers, cells: np.ndarray) -> Numbers:
    """Weightings ``(R, n)`` with every cell's weights scaled to one sum; all NaN where a resample lost a cell."""
    even = np.empty_like(weights)
    for cell in np.unique(cells):
        mine = cells == cell
        totals = weights[:, mine].sum(axis=1, keepdims=True)
        even[:, mine] = np.divide(weights[:, mine], totals, out=np.full_like(weights[:, mine], np.nan), where=totals > 0)
    even[np.isnan(even).any(axis=1)] = np.nan
    return even


def _interval(told: Rows, metric: str, once: Numbers, draws: Numbers) -> Interval:
    whole = draws[np.isfinite(draws).all(axis=1)]
    spread = np.full(len(draws), np.nan)
    spread[: len(whole)] = _draws(told, metric, whole).mean(axis=1) if len(whole) else np.nan
    return interval_of(float(_draws(told, metric, once).mean()), spread, 0.95)


def _draws(told: Rows, metric: str, weights: Numbers) -> Numbers:
    source = binary_names(UNNAMED[1], (metric,))[metric]
    return metric_arrays(told, weights, [source])[source]


def _counts(rows: ProbedRows) -> dict[str, int]:
    modality, labels = rows.modality[rows.held], rows.labels[rows.held]
    return {
        f"{name} {label}": int(np.sum((modality == value) & (labels == label)))
        for name, value in (("xray", 1), ("ct", 0)) for label in np.unique(labels)
    }  # fmt: skip


def _folds(rows: ProbedRows, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows to learn from, and places in ``rows.held`` to answer, fold by fold; one fold where a cell has but one patient."""
    cells, patients = rows.cells(rows.held, "cells"), cluster_codes(rows.patients[rows.held])
    count = min(FOLDS, *(len(np.unique(patients[cells == cell])) for cell in np.unique(cells)))
    if count < 2:
        yield rows.fit, np.arange(len(rows.held))
        return
    dealt = grouped_folds(cells, patients, count, seed)
    for fold in range(count):
        yield np.concatenate([rows.fit, rows.held[dealt != fold]]), np.flatnonzero(dealt == fold)


def _checked(features: np.ndarray, rows: ProbedRows) -> Numbers:
    values = np.asarray(features, dtype=np.float64)
    if values.ndim != 2 or len(values) != len(rows.modality):
        raise DataError(
            f"The probes' features have shape {values.shape} for {len(rows.modality)} rows.", "Pass one row of features a scan."
        )
    used = np.concatenate([rows.fit, rows.held])
    unusable = used[~np.isfinite(values[used]).all(axis=1)]
    if len(unusable):
        raise DataError(f"The probes' features hold NaN or infinity in row {unusable[0]}.", "Retrain the extractor.")
    for part, name in ((rows.fit, "training"), (rows.held, "held-out")):
        if len(np.unique(rows.modality[part])) < 2:
            raise DataError(f"The probes' {name} rows are all of one modality.", "Give them X-ray and CT rows.")
    return values


def _linear(given: Numbers, modality: np.ndarray, weights: Numbers, wanted: Numbers, seed: int) -> Numbers:
    return LogisticRegression(max_iter=3000).fit(given, modality, sample_weight=weights).predict_proba(wanted)[:, 1]


def _mlp(given: Numbers, modality: np.ndarray, weights: Numbers, wanted: Numbers, seed: int) -> Numbers:
    """One hidden layer of 128, Adam at 1e-3, sixty epochs or until the loss stands still."""
    probe = _UnwarnedMLP((128,), batch_size=min(64, len(given)), max_iter=60, random_state=seed)
    return probe.fit(given, modality, sample_weight=weights).predict_proba(wanted)[:, 1]


class _UnwarnedMLP(MLPClassifier):
    """A network whose epochs are counted out says so in a warning, once a fit; here they are, on purpose."""

    def fit(self, *given, **named):
        import warnings

        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return super().fit(*given, **named)


def _neighbours(given: Numbers, modality: np.ndarray, weights: Numbers, wanted: Numbers, seed: int) -> Numbers:
    """Weighted share of X-rays among the five nearest; all that are as near as the fifth vote too."""
    count, blocks = min(NEIGHBOURS, len(given)), -(-len(wanted) * len(given) // BLOCK_NUMBERS)

    def told(block: Numbers) -> Numbers:
        distances = pairwise_distances(block, given)
        reach = np.partition(distances, count - 1, axis=1)[:, count - 1 : count]
        votes = (distances <= reach * (1 + 1e-9) + 1e-9) * weights
        return np.clip(votes @ modality / votes.sum(axis=1), 0, 1)

    return np.concatenate([told(block) for block in np.array_split(wanted, min(len(wanted), blocks))])


_PROBES: dict[str, Callable[[Numbers, np.ndarray, Numbers, Numbers, int], Numbers]] = {
    "linear": _linear,
    "mlp": _mlp,
    "neighbours": _neighbours,
}
