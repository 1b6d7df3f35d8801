"""Assembles what `compare --json` writes: arms, their metrics with intervals, and their paired tests."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from pipeline.engine.errors import DataError
from pipeline.evaluation.comparison.tests import (
    FAMILIES,
    ComparisonSettings,
    given_split_tests,
    judge,
    resplit_tests,
)
from pipeline.evaluation.comparison.verdicts import overall_verdict
from pipeline.evaluation.metrics.binary import confusion
from pipeline.evaluation.statistics.clusters import cluster_note
from pipeline.evaluation.statistics.intervals import metric_intervals, training_noise
from pipeline.evaluation.tables.prediction_files import read_predictions
from pipeline.evaluation.tables.prediction_table import PredictionTable, align_arms
from pipeline.evaluation.tables.resplits import Resplits

Predictions = dict[str, dict[str, PredictionTable]]


def build_comparison(
    predictions: Predictions,
    resplits: Resplits | None = None,
    *,
    controls: Sequence[str] = (),
    settings: ComparisonSettings | None = None,
    warnings: Sequence[str] = (),
) -> dict:
    """The document of `compare --json`, ready for json.dump (no NaN, no numpy types).

    predictions: arm -> modality ("xray", "ct", "paired", or any other name) -> table. Arms keep their order;
    a test's `a` comes before its `b`, and every difference is b - a. controls: modalities that are reported
    but not tested, such as shuffled pairs, so that they do not enlarge the family of tests. Rows that not
    every arm has are left out with a warning.

    Metrics are means over training seeds of the single models; tests compare the seed-averaged
    probabilities. Keys beyond the fixed schema: training_noise and confusion and counts (modality -> …),
    resplits, families, verdicts (one sentence for each modality and pair of arms), settings, warnings.
    Raises DataError for no arm, tables without a shared row, or labels that disagree.
    """
    settings = settings or ComparisonSettings()
    if not predictions or not any(predictions.values()):
        raise DataError("There are no predictions to compare.", "Name at least one arm with predictions.")
    arms = list(predictions)
    names = list(dict.fromkeys(name for tables in predictions.values() for name in tables))
    notes = list(warnings)
    document: dict = {
        "schema_version": 1,
        "arms": arms,
        "modalities": {},
        "tests": [],
        "training_noise": {},
        "confusion": {},
        "counts": {},
    }
    tests: list[dict] = []
    for modality in names:
        tables = {arm: predictions[arm][modality] for arm in arms if modality in predictions[arm]}
        tables, note = align_arms(tables, modality)
        any_table = next(iter(tables.values()))
        notes += [note] if note else []
        clustering = cluster_note(any_table.patient_ids)
        notes += [f"{modality}: {clustering}"] if clustering else []
        _describe(document, modality, tables, settings)
        if modality in controls:
            continue
        for a, b in combinations(tables, 2):
            tests += given_split_tests(modality, a, b, tables, settings)
            if resplits is not None:
                tests += resplit_tests(modality, a, b, resplits, settings)
    document["tests"] = judge(tests, settings)
    document["verdicts"] = _verdicts(document["tests"], settings)
    document["resplits"] = resplits.summary() if resplits is not None else {}
    document["families"] = dict(FAMILIES)
    document["settings"] = {**vars(settings), "controls": list(controls)}
    document["warnings"] = notes
    return document


def compare_predictions(
    paths: Sequence[Path | str],
    labels: Path | str | None = None,
    positive: str = "COVID",
    settings: ComparisonSettings | None = None,
) -> dict:
    """The same document from CSV files as `predict --csv` writes them. See `read_predictions`."""
    predictions, warnings = read_predictions(paths, labels, positive)
    return build_comparison(predictions, settings=settings, warnings=warnings)


def _describe(
    document: dict, modality: str, tables: dict[str, PredictionTable], settings: ComparisonSettings
) -> None:
    """Adds one modality's metrics, training noise, confusion counts and row counts to the document."""
    document["modalities"][modality] = {
        arm: metric_intervals(
            table.labels,
            table.probabilities,
            table.clusters,
            settings.resamples,
            settings.seed,
            settings.level,
            settings.threshold,
        )
        for arm, table in tables.items()
    }
    document["training_noise"][modality] = {
        arm: training_noise(table.labels, table.probabilities, settings.threshold)
        for arm, table in tables.items()
    }
    document["confusion"][modality] = {
        arm: confusion(table.labels, table.seed_mean, settings.threshold) for arm, table in tables.items()
    }
    table = next(iter(tables.values()))
    document["counts"][modality] = {
        "rows": int(table.labels.size),
        "positive": int(table.labels.sum()),
        "clusters": int(table.clusters.max()) + 1,
    }


def _verdicts(tests: list[dict], settings: ComparisonSettings) -> list[dict]:
    groups: dict[tuple[str, str, str], list[dict]] = {}
    for test in tests:
        if test["family"] is not None:
            groups.setdefault((test["modality"], test["a"], test["b"]), []).append(test)
    return [
        {"modality": modality, "a": a, "b": b, "sentence": overall_verdict(group, settings.alpha)}
        for (modality, a, b), group in groups.items()
    ]
