"""The network that is stored: every arm trained on s01's split, chosen by its validation part, judged once on its test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from pipeline.engine.context import Context
from pipeline.engine.errors import DataError
from pipeline.engine.seeds import derive_seed
from pipeline.evaluation.statistics.intervals import metric_intervals
from pipeline.evaluation.tables.rows import Rows
from pipeline.models.fusion_names import FUSIONS
from pipeline.training.network_artifacts import save_network
from pipeline.training.vision_text.arm_trainer import ArmTrainer
from pipeline.training.vision_text.features import FusionFeatures, Retune
from pipeline.training.vision_text.rows import NotedScans
from pipeline.training.vision_text.settings import CHOOSING_SEEDS, FusionSettings

PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class StoredArm:
    """Which fusion is stored, why, what it scores on the test part of s01's split, and the pieces of a note it was given."""

    arm: str
    validation_auc: dict[str, float]
    test: dict
    rows: dict[str, int]
    window: int


def train_stored(
    context: Context, settings: FusionSettings, scans: NotedScans, features: FusionFeatures, retune: Retune | None
) -> StoredArm:
    """Choose among the fusions by the mean validation AUC of three trainings each, then store the first of them.

    Raises DataError where a part of the split lacks a class among the compared rows.
    """
    rows = {part: np.flatnonzero(scans.index.splits[scans.compared] == part) for part in PARTS}
    labels = scans.index.labels[scans.compared]
    for part, mine in rows.items():
        if len(np.unique(labels[mine])) < 2:
            raise DataError(f"{part}: the compared rows are not of both classes.", "Change s01's fractions or seed.")
    scores = {}
    trainers = features.trainers(settings, [arm for arm in FUSIONS if arm in settings.fusions], scans.compared)
    if retune is not None:
        tuned = retune(derive_seed(context.seed, "stored", "encoder"), rows["train"], rows["valid"])
        for trainer in trainers:
            trainer.use_rows(tuned)
    save_network(context, "text_encoder", features.encoder.network)
    for trainer in trainers:
        scores[trainer.arm] = float(np.mean([_validation_auc(context, trainer, n, rows) for n in range(CHOOSING_SEEDS)]))
    chosen = max(trainers, key=lambda trainer: scores[trainer.arm])
    chosen.train(_seed(context, chosen, 0), rows["train"], rows["valid"])
    save_network(context, "fusion", chosen.model)
    probabilities = chosen.probabilities(np.arange(len(labels)))
    test = rows["test"]
    patients = scans.index.patients[scans.compared]
    judged = Rows.binary(labels[test], probabilities[test], patients[test])
    intervals = metric_intervals(judged, resamples=settings.resamples, seed=context.seed)
    context.save_csv("fusion_split_predictions", pd.DataFrame({
        "id": scans.index.ids[scans.compared], "split": scans.index.splits[scans.compared], "patient_id": patients,
        "label": labels, "probability": probabilities,
    }))  # fmt: skip
    return StoredArm(chosen.arm, scores, intervals, {part: len(mine) for part, mine in rows.items()}, features.encoder.window)


def _seed(context: Context, trainer: ArmTrainer, number: int) -> int:
    return derive_seed(context.seed, "stored", trainer.arm, number)


def _validation_auc(context: Context, trainer: ArmTrainer, number: int, rows: dict[str, np.ndarray]) -> float:
    trainer.train(_seed(context, trainer, number), rows["train"], rows["valid"])
    return float(roc_auc_score(trainer.rows.labels[rows["valid"]], trainer.probabilities(rows["valid"])))
