"""The document of the studies: fresh probes and the lesion's AUC by arm, differences to the plain arm, and what they show."""

from __future__ import annotations

import numpy as np

from pipeline.data.scan_index import ModalityIndex
from pipeline.data.scans import MODALITIES
from pipeline.evaluation.comparison.variants import PLAIN
from pipeline.evaluation.metrics.names import binary_names
from pipeline.evaluation.statistics.intervals import difference_interval, metric_intervals, training_noise
from pipeline.evaluation.tables.rows import UNNAMED, Rows
from pipeline.training.alignment_study.arms import Track, Trained, train_arms
from pipeline.training.alignment_study.phantom_scans import StudyScans
from pipeline.training.alignment_study.settings import StudySettings
from pipeline.training.alignment_study.studies import STUDIES
from pipeline.training.alignment_study.words import verdicts
from pipeline.training.multitask.adversarial.modality_probes import probe_scores
from pipeline.training.multitask.adversarial.probed_features import probed_rows

AUC = binary_names(UNNAMED[1], ("auc",))


def study_document(scans: StudyScans, study: str, settings: StudySettings, track: Track | None = None) -> dict:
    """Train the arms of one of STUDIES on these scans and score them.

    Returns ``{"question", "sides", "counts", "kept_epochs", "raw": probe_scores, "arms": {arm: {"probes": probe_scores, "auc":
    {modality: interval}, "training_noise": {modality: …}, "difference": {modality: interval of arm - plain}}}, "verdicts"}``.
    """
    told = STUDIES[study]
    trained = train_arms(scans, settings, study, told.taught, track)
    document = {
        "question": told.question,
        "sides": dict(told.sides),
        "counts": {name: _counts(index) for name, index in scans.indexes.items()},
        "kept_epochs": dict(trained.kept_epochs),
        **_scores(trained, scans, settings),
    }
    return {**document, "verdicts": verdicts(study, document, settings.severity)}


def _scores(trained: Trained, scans: StudyScans, settings: StudySettings) -> dict:
    held = probed_rows(scans.indexes, "test")
    rows = {
        arm: {name: _rows(answers.probabilities[name], index) for name, index in scans.indexes.items()}
        for arm, answers in trained.arms.items()
    }
    arms: dict[str, dict] = {}
    for arm, mine in rows.items():
        arms[arm] = {
            "probes": probe_scores(trained.arms[arm].told, held, settings.seed),
            "auc": {name: metric_intervals(mine[name], AUC, seed=settings.seed)["auc"] for name in MODALITIES},
            "training_noise": {name: training_noise(mine[name], AUC)["auc"] for name in MODALITIES},
        }
        if arm != PLAIN and PLAIN in rows:
            arms[arm]["difference"] = {
                name: difference_interval(rows[PLAIN][name], mine[name], AUC, seed=settings.seed)["auc"] for name in MODALITIES
            }
    return {"raw": probe_scores(trained.raw, held, settings.seed), "arms": arms}


def _rows(probabilities: np.ndarray, index: ModalityIndex) -> Rows:
    mine = index.rows("test")
    return Rows.binary(index.labels[mine], probabilities, index.patients[mine], index.ids[mine])


def _counts(index: ModalityIndex) -> dict[str, dict[str, int]]:
    return {
        split: {"lesion": int(index.labels[index.rows(split)].sum()), "all": len(index.rows(split))}
        for split in ("train", "valid", "test")
    }
