"""Judges a bundle on labelled scans: predictions, metrics with intervals, figures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from pipeline.cli.evaluate.request import Evaluation, EvaluationRequest
from pipeline.data.layouts.labelled_cases import refuse_one_class
from pipeline.data.layouts.pair_table import PairRow
from pipeline.engine.files import atomic_write_bytes, write_json
from pipeline.engine.interval_text import interval_text
from pipeline.inference.answered_rows import (
    AnsweredRow,
    answer_pairs,
    failure_summary,
    failures,
    refuse_all_failed,
    refuse_many_failures,
    write_findings_table,
)
from pipeline.inference.answers import TITLES
from pipeline.inference.opened_bundle import OpenedBundle

PREDICTIONS, METRICS = "predictions.csv", "metrics.json"
FIGURES = {
    "roc": "ROC with 95 % band by patient",
    "confusion": "Count, share of true class",
    "calibration": "Calibration with 95 % Wilson bars",
}
OUTPUTS = (PREDICTIONS, METRICS, *(f"{name}.png" for name in FIGURES))
_SHOWN = ("accuracy", "auc", "sensitivity", "specificity")


def evaluate(predictor: OpenedBundle, request: EvaluationRequest) -> Evaluation:
    """Answer the labelled scans, write OUTPUTS and return the document of `metrics.json` with its words.

    Intervals are clustered by patient. Raises DataError where too many of the scans have no answer, or those that have are of
    one class; `predictions.csv` is written all the same and names them.
    """
    from pipeline.data.layouts.labelled_cases import read_labelled_cases
    from pipeline.engine.outputs import prepare_output, refuse_overwriting
    from pipeline.evaluation.comparison.document import build_comparison
    from pipeline.evaluation.tables.prediction_files import read_predictions

    data, out, manifest = request.data, request.out, predictor.manifest
    told: list[str] = []
    cases = read_labelled_cases(
        data, manifest.class_names, told.append, modalities=predictor.modalities, modality=request.modality
    )
    refuse_overwriting([out / name for name in OUTPUTS], [data, *(scan for case in cases for scan in case.scans)])
    prepare_output(out / PREDICTIONS)
    rows = answer_pairs(predictor, request.reporter.track(cases, len(cases), "scans"))
    for line in failure_summary(rows, "scans"):
        request.reporter.line(line)
    write_findings_table(out / PREDICTIONS, rows)
    refuse_all_failed(rows, "scans")
    refuse_many_failures(rows, request.max_unreadable, out / PREDICTIONS, "scans")
    refuse_one_class(data, _answered_pairs(cases, rows), manifest.class_names)
    read = read_predictions([out / PREDICTIONS], positive=manifest.positive_class, threshold=manifest.threshold)
    predictions = {manifest.variant: next(iter(read.arms.values()))}
    comparison = build_comparison(predictions, warnings=[*told, *read.warnings])
    document = _document(predictor, comparison, len(failures(rows)))
    _write_figures(out, predictions, comparison)
    write_json(out / METRICS, document)
    return Evaluation(document, evaluation_words(document, out))


def _answered_pairs(cases: Sequence[PairRow], rows: Sequence[AnsweredRow]) -> list[PairRow]:
    """The cases as far as they were answered: a scan that failed is taken out of its row."""
    found = []
    for case, row in zip(cases, rows, strict=True):
        made = {finding.modality for finding in row.answer.findings if finding.error is None}
        found.append(PairRow(case.id, case.xray if "xray" in made else None, case.ct if "ct" in made else None, case.copied))
    return found


def _document(bundle: OpenedBundle, comparison: dict, failed: int) -> dict:
    manifest, variant = bundle.manifest, bundle.manifest.variant
    return {
        "schema_version": 1,
        "bundle": str(bundle.path),
        "variant": variant,
        "positive_class": manifest.positive_class,
        "threshold": manifest.threshold,
        "modalities": {name: arms[variant] for name, arms in comparison["modalities"].items()},
        "confusion": {name: arms[variant] for name, arms in comparison["confusion"].items()},
        "counts": comparison["counts"],
        "unreadable": failed,
        "settings": {name: comparison["settings"][name] for name in ("resamples", "level", "seed")},
        "warnings": comparison["warnings"],
    }


def _write_figures(out: Path, predictions: dict, comparison: dict) -> None:
    from pipeline.evaluation.figures.calibration import calibration_figure
    from pipeline.evaluation.figures.comparison import ordered_classes
    from pipeline.evaluation.figures.confusion import confusion_figure
    from pipeline.evaluation.figures.roc import roc_figure

    drawn = {
        "roc": roc_figure(predictions, comparison),
        "confusion": confusion_figure(comparison["confusion"], ordered_classes(comparison)),
        "calibration": calibration_figure(predictions),
    }
    for name, title in FIGURES.items():
        picture = io.BytesIO()
        # A bundle is one model: the comparison's titles speak of a mean over trainings.
        drawn[name].suptitle(title, fontsize=10)
        drawn[name].savefig(picture, format="png", metadata={"Software": None})
        atomic_write_bytes(out / f"{name}.png", picture.getvalue())


def evaluation_words(document: dict, out: Path, figures: Sequence[str] = OUTPUTS) -> str:
    """The document as a table for people."""
    lines = []
    for modality, metrics in document["modalities"].items():
        counts = document["counts"][modality]
        lines.append(
            f"{TITLES[modality]}: {counts['rows']} rows, {counts['positive']} {document['positive_class']}, "
            f"{counts['clusters']} patients"
        )
        lines += [f"  {name:<12} {interval_text(metrics[name])}" for name in _SHOWN]
    lines += [f"note: {warning}" for warning in document["warnings"]]
    lines.append(f"{', '.join(figures)} in {out}")
    return "\n".join(lines)
