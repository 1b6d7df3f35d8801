"""All scans, resplit by patient: every scan is judged once by a chain that never saw its patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.data.scans import SPLITS
from pipeline.data.splitting.splits import grouped_folds
from pipeline.engine.context import Context
from pipeline.engine.seeds import derive_seed
from pipeline.evaluation.tables.resplits import Resplits, fold_metrics, fold_values
from pipeline.training.multitask.chain_inputs import ChainInputs
from pipeline.training.multitask.chain_training import Probabilities, train_chain_once
from pipeline.training.multitask.recipes import Labelled
from pipeline.training.multitask.reports.prediction_frame import class_rows, classes_of
from pipeline.training.multitask.scan_pairs import pairs_by_split
from pipeline.training.trained_network import Workshop

VALIDATION_FOLDS = 6


@dataclass(frozen=True)
class ResplitTrainings:
    """``folds[modality] (N,)``; ``out_of_fold[variant][modality] (N,)`` or ``(N, K)``; metrics of each resplit."""

    folds: dict[str, np.ndarray]
    out_of_fold: Probabilities
    metrics: Resplits


def joint_folds(chain: ChainInputs, folds: int, seed: int, rows: dict[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
    """Fold of each row, patients of all modalities kept together, strata of modality and label."""
    rows = rows or {m: np.arange(len(index.ids)) for m, index in chain.indexes.items()}
    strata, groups = [], []
    for modality, index in chain.indexes.items():
        strata += [f"{modality}|{index.labels[r]}" for r in rows[modality]]
        groups += list(index.patients[rows[modality]])
    assigned = grouped_folds(strata, groups, folds, seed)
    ends = np.cumsum([len(rows[modality]) for modality in chain.indexes])
    return dict(zip(chain.indexes, np.split(assigned, ends[:-1]), strict=True))


def draw_resplits(chain: ChainInputs, count: int, seed: int) -> list[dict[str, dict[str, np.ndarray]]]:
    """Rows of train, valid and test of each of ``count`` resplits, by modality: every scan is tested once.

    A sixth of the training patients choose the epoch. Raises DataError as ``grouped_folds``.
    """
    folds = joint_folds(chain, count, seed)
    return [_parts(chain, folds, fold, derive_seed(seed, "validation", fold)) for fold in range(count)]


def train_resplits(
    chain: ChainInputs, resplits: Sequence[Mapping[str, Mapping[str, np.ndarray]]], context: Context
) -> ResplitTrainings:
    """Train every variant on every one of ``draw_resplits``."""
    count = len(resplits)
    folds = {m: np.empty(len(index.ids), np.int64) for m, index in chain.indexes.items()}
    workshop = Workshop(context.seed, chain.recipe.embedder.precision, context.scratch / "folds")
    classes = classes_of(chain.indexes)
    tail = () if len(classes) == 2 else (len(classes),)
    answers = {v: {m: np.full((len(folds[m]), *tail), np.nan, np.float32) for m in folds} for v in chain.recipe.variants}
    values: dict = {v: {} for v in chain.recipe.variants}
    metrics: tuple[str, ...] = ()
    for fold in context.progress(range(count), count, "resplits"):
        rows = resplits[fold]
        for modality, parts in rows.items():
            folds[modality][parts["test"]] = fold
        drawn = pairs_by_split(rows, chain.labels(), derive_seed(context.seed, "fold", fold)) if len(folds) > 1 else None
        scans = {
            m: Labelled(index.labels, rows[m]["train"], rows[m]["valid"], index.count) for m, index in chain.indexes.items()
        }
        trained = train_chain_once(f"fold_{fold}", chain.features, scans, drawn, chain.recipe, workshop)
        for variant, by_modality in trained.probabilities.items():
            for name, made in by_modality.items():
                if name in chain.indexes:
                    held, labels = rows[name]["test"], chain.indexes[name].labels
                    answers[variant][name][held] = made[held]
                else:
                    held, labels = np.flatnonzero(drawn.split == "test"), drawn.labels
                tested = class_rows(labels[held], classes.shares(made[held]), None, None, chain.indexes)
                metrics = fold_metrics(tested)
                values[variant].setdefault(name, []).append(fold_values(tested))
    arrays = {v: {name: np.array(table) for name, table in by.items()} for v, by in values.items()}
    return ResplitTrainings(folds, answers, Resplits(metrics, arrays, 1 / (count - 1)))


def _parts(chain: ChainInputs, folds: dict[str, np.ndarray], fold: int, seed: int) -> dict[str, dict[str, np.ndarray]]:
    """Rows of train, valid and test of one resplit, by modality."""
    rest = {m: np.flatnonzero(folds[m] != fold) for m in chain.indexes}
    inner = joint_folds(chain, VALIDATION_FOLDS, seed, rest)
    return {
        m: dict(zip(SPLITS, (rest[m][inner[m] != 0], rest[m][inner[m] == 0], np.flatnonzero(folds[m] == fold)), strict=True))
        for m in chain.indexes
    }
