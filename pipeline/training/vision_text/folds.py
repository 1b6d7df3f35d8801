"""Every arm on the same patient-grouped folds, again and again: each row judged by trainings that never saw its patient."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data.splitting.splits import grouped_folds
from pipeline.engine.context import Context
from pipeline.engine.files import write_json
from pipeline.engine.seeds import derive_seed
from pipeline.evaluation.tables.resplits import FOLD_METRICS, Resplits, fold_values
from pipeline.evaluation.tables.rows import Rows
from pipeline.models.fusion_names import CONTROLS, IMAGE_ONLY, LATE_AVERAGE, TEXT_ONLY
from pipeline.training.vision_text.arm_trainer import WITHHELD, ArmTrainer
from pipeline.training.vision_text.features import Retune
from pipeline.training.vision_text.reports.fusion_findings import WHAT

VALIDATION_FOLDS = 5


@dataclass(frozen=True)
class FoldPlan:
    """folds ``(R, N)``: the fold that tests each row, in each repeat. seed: what trainings derive theirs from."""

    folds: np.ndarray
    labels: np.ndarray
    patients: np.ndarray
    seed: int

    def parts(self, repeat: int, fold: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows to fit, rows to stop by, rows to judge; no patient is in two of them."""
        rest = np.flatnonzero(self.folds[repeat] != fold)
        seed = derive_seed(self.seed, "validation", repeat, fold)
        inner = grouped_folds(self.labels[rest], self.patients[rest], VALIDATION_FOLDS, seed)
        return rest[inner != 0], rest[inner == 0], np.flatnonzero(self.folds[repeat] == fold)


@dataclass(frozen=True)
class FoldAnswers:
    """probabilities: arm → ``(R, N)`` out of fold; withheld: half → arm → the same without that half; validation:
    arm → ``(R, K)`` least validation loss; epochs: arm → ``(R, K)`` epochs kept."""

    probabilities: dict[str, np.ndarray]
    withheld: dict[str, dict[str, np.ndarray]]
    validation: dict[str, np.ndarray]
    epochs: dict[str, np.ndarray]


def plan_folds(labels: np.ndarray, patients: np.ndarray, folds: int, repeats: int, seed: int) -> FoldPlan:
    """``repeats`` ways of dealing patients into ``folds``, labels spread evenly. Raises DataError: too few patients."""
    dealt = [grouped_folds(labels, patients, folds, derive_seed(seed, "folds", repeat)) for repeat in range(repeats)]
    return FoldPlan(np.stack(dealt), labels, patients, seed)


def train_folds(
    context: Context, plan: FoldPlan, trainers: Sequence[ArmTrainer], retune: Retune | None = None
) -> FoldAnswers:
    """Train every arm on every fold of every repeat; finished ones are found again after a kill.

    ``retune`` fine-tunes the text encoder on a fold's rows to fit, once for all arms.
    """
    repeats, rows = plan.folds.shape
    folds = int(plan.folds.max()) + 1
    arms = [trainer.arm for trainer in trainers]
    answers = {arm: np.full((repeats, rows), np.nan, np.float32) for arm in arms}
    withheld = {half: {arm: np.full((repeats, rows), np.nan, np.float32) for arm in arms} for half in WITHHELD}
    validation = {arm: np.full((repeats, folds), np.nan) for arm in arms}
    epochs = {arm: np.zeros((repeats, folds), np.int64) for arm in arms}
    steps = [(repeat, fold) for repeat in range(repeats) for fold in range(folds)]
    for repeat, fold in context.progress(steps, len(steps), "folds"):
        fit, valid, test = plan.parts(repeat, fold)
        files = {arm: context.scratch / "folds" / f"{arm}_{repeat:02d}_{fold:02d}.json" for arm in arms}
        if retune is not None and not all(kept.exists() for kept in files.values()):
            rows_of_fold = retune(derive_seed(plan.seed, "encoder", repeat, fold), fit, valid)
            for trainer in trainers:
                trainer.use_rows(rows_of_fold)
        for trainer in trainers:
            seed = derive_seed(plan.seed, "training", trainer.arm, repeat, fold)
            kept = files[trainer.arm]
            found = _trained(kept, trainer, seed, fit, valid, test)
            answers[trainer.arm][repeat, test] = found["probabilities"]
            for half in WITHHELD:
                withheld[half][trainer.arm][repeat, test] = found[half]
            validation[trainer.arm][repeat, fold], epochs[trainer.arm][repeat, fold] = found["val_loss"], found["epoch"]
    return FoldAnswers(answers, withheld, validation, epochs)


def _trained(kept: Path, trainer: ArmTrainer, seed: int, fit: np.ndarray, valid: np.ndarray, test: np.ndarray) -> dict:
    if kept.exists():
        return json.loads(kept.read_text(encoding="utf-8"))
    history = trainer.train(seed, fit, valid)
    found = {
        "probabilities": trainer.probabilities(test),
        **{half: trainer.probabilities(test, half) for half in WITHHELD},
        "epoch": history.best_epoch,
        "val_loss": history.epochs["val_loss"][history.best_epoch],
    }
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_json(kept, found)
    return found


def with_late_average(probabilities: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arms, and the mean of what both halves answer alone: the fusion that needs no training."""
    average = (probabilities[IMAGE_ONLY] + probabilities[TEXT_ONLY]) / 2
    return {**probabilities, LATE_AVERAGE: average.astype(np.float32)}


def fold_metrics(plan: FoldPlan, probabilities: dict[str, np.ndarray]) -> Resplits:
    """FOLD_METRICS of every arm on each of the R·K test folds, for the resampled t-test."""
    repeats, folds = plan.folds.shape[0], int(plan.folds.max()) + 1
    values = {}
    for arm, answers in probabilities.items():
        table = [fold_values(Rows.binary(plan.labels[plan.folds[r] == k], answers[r, plan.folds[r] == k]))
                 for r in range(repeats) for k in range(folds)]  # fmt: skip
        values[arm] = {WHAT: np.array(table)}
    return Resplits(FOLD_METRICS, values, 1 / (folds - 1))


def fused_arms(arms: Sequence[str]) -> list[str]:
    """The arms that are asked to beat both halves."""
    return [arm for arm in arms if arm not in CONTROLS]
