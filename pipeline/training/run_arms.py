"""The arm of a finished run that has one, as comparisons read it: a classifier, or a segmenter."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.engine.rundir import RunDirectory
from pipeline.evaluation.tables.csv_tables import OUT_OF_FOLD
from pipeline.evaluation.tables.prediction_files import ReadArms, read_predictions
from pipeline.evaluation.tables.run_arms import RunArms


def classifier_arms(run: RunDirectory) -> RunArms:
    """The test part, and every row out of fold where the run has made folds."""
    told = run.load_json("classification")
    path = run.artifact("classifier_predictions")
    read = read_predictions([path], positive=told["positive_class"], threshold=told["threshold"])
    folds = {
        modality: dict(zip(facts["id"], facts["fold"], strict=True))
        for by_modality in read.facts.values() for modality, facts in by_modality.items() if modality == OUT_OF_FOLD
    }  # fmt: skip
    return _one_arm(run, read, folds)


def segmenter_arms(run: RunDirectory) -> RunArms:
    """Masks and classes of the test part."""
    told = run.load_json("segmenter_metrics")
    positive = told["positive_class"] if told["positive_class"] in told["class_names"] else None
    return _one_arm(run, read_predictions([run.artifact("segmenter_predictions")], positive=positive))


def _one_arm(run: RunDirectory, read: ReadArms, folds: Mapping[str, Mapping[str, str]] | None = None) -> RunArms:
    (tables,) = read.arms.values()
    warnings = [*read.warnings, *run.load_json("dataset")["leakage"]]
    return RunArms({"": lambda: {"": tables}}, heading=f"{run.path}: one arm.", warnings=warnings, folds=folds or {})
