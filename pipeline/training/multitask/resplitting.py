"""All scans, resplit by patient: every scan is judged once by a chain that never saw its patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.data.scans import SPLITS
from pipeline.data.splitting.splits import grouped_folds
from pipeline.engine.context import Context
from pipeline.engine.seeds import derive_seed
from pipeline.evaluation.tables.resplits import FOLD_METRICS, Resplits, fold_values
from pipeline.training.multitask.chain_inputs import ChainInputs
from pipeline.training.multitask.chain_training import Probabilities, train_chain_once
from pipeline.training.multitask.recipes import MODALITIES, Labelled
from pipeline.training.multitask.scan_pairs import pairs_by_split
from pipeline.training.trained_network import Workshop

VALIDATION_FOLDS = 6


@dataclass(frozen=True)
class ResplitTrainings:
    """``folds[modality] (N,)``; ``out_of_fold[variant][modality] (N,)``; metrics of each resplit."""

    folds: dict[str, np.ndarray]
    out_of_fold: Probabilities
    metrics: Resplits


def joint_folds(chain: ChainInputs, folds: int, seed: int, rows: dict[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
    """Fold of each row, patients of both modalities kept together, strata of modality, source and label."""
    rows = rows or {m: np.arange(len(index.ids)) for m, index in chain.indexes.items()}
    strata, groups = [], []
    for modality in MODALITIES:
        index = chain.indexes[modality]
        strata += [f"{modality}|{index.labels[r]}" for r in rows[modality]]
        groups += list(index.patients[rows[modality]])
    assigned = grouped_folds(strata, groups, folds, seed)
    return {"xray": assigned[: len(rows["xray"])], "ct": assigned[len(rows["xray"]) :]}


def train_resplits(chain: ChainInputs, context: Context) -> ResplitTrainings:
    """Train every variant on every resplit, a sixth of the training patients choosing the epoch."""
    count = context.config.folds
    folds = joint_folds(chain, count, context.seed)
    workshop = Workshop(context.seed, chain.recipe.embedder.precision, context.scratch / "folds")
    answers = {v: {m: np.full(len(folds[m]), np.nan, np.float32) for m in MODALITIES} for v in chain.recipe.variants}
    values: dict = {v: {name: [] for name in (*MODALITIES, "paired")} for v in chain.recipe.variants}
    for fold in context.progress(range(count), count, "resplits"):
        rows = _parts(chain, folds, fold, derive_seed(context.seed, "validation", fold))
        pairs = pairs_by_split(rows, chain.labels(), derive_seed(context.seed, "fold", fold))
        scans = {m: Labelled(chain.indexes[m].labels, rows[m]["train"], rows[m]["valid"]) for m in MODALITIES}
        trained = train_chain_once(f"fold_{fold}", chain.features, scans, pairs, chain.recipe, workshop)
        for variant, by_modality in trained.probabilities.items():
            for name in by_modality:
                held = rows[name]["test"] if name in MODALITIES else np.flatnonzero(pairs.split == "test")
                labels = chain.indexes[name].labels if name in MODALITIES else pairs.labels
                values[variant][name].append(fold_values(labels[held], by_modality[name][held]))
                if name in MODALITIES:
                    answers[variant][name][held] = by_modality[name][held]
    arrays = {v: {name: np.array(table) for name, table in by.items()} for v, by in values.items()}
    return ResplitTrainings(folds, answers, Resplits(FOLD_METRICS, arrays, 1 / (count - 1)))


def _parts(chain: ChainInputs, folds: dict[str, np.ndarray], fold: int, seed: int) -> dict[str, dict[str, np.ndarray]]:
    """Rows of train, valid and test of one resplit, by modality."""
    rest = {m: np.flatnonzero(folds[m] != fold) for m in MODALITIES}
    inner = joint_folds(chain, VALIDATION_FOLDS, seed, rest)
    return {
        m: dict(zip(SPLITS, (rest[m][inner[m] != 0], rest[m][inner[m] == 0], np.flatnonzero(folds[m] == fold)), strict=True))
        for m in MODALITIES
    }
