"""Judges a bundle on labelled scans: predictions, metrics with intervals, figures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from pipeline.data.layouts.labelled_cases import refuse_one_class
from pipeline.data.layouts.pair_table import PairRow
from pipeline.engine.errors import DataError
from pipeline.engine.files import atomic_write_bytes, write_json
from pipeline.engine.interval_text import interval_text
from pipeline.inference.answers import TITLES
from pipeline.inference.multitask.bundle import Bundle
from pipeline.inference.multitask.table_answers import TableAnswers, write_answers

PREDICTIONS, METRICS = "predictions.csv", "metrics.json"
FIGURES = {
    "roc": "ROC with 95 % band by patient",
    "confusion": "Count, share of true class",
    "calibration": "Calibration with 95 % Wilson bars",
}
OUTPUTS = (PREDICTIONS, METRICS, *(f"{name}.png" for name in FIGURES))
_SHOWN = ("accuracy", "auc", "sensitivity", "specificity")


def judge(
    bundle: Bundle, table: TableAnswers, data: Path, out: Path, max_unreadable: float, told: Sequence[str] = ()
) -> dict:
    """Write OUTPUTS into the folder `out` and return the document of `metrics.json`.

    Intervals are clustered by patient. Raises DataError where more than `max_unreadable` (a share) of the scans have
    no answer, or those that have are of one class; `predictions.csv` is written all the same and names them.
    told: what was said of the data, for its warnings.
    """
    from pipeline.evaluation.comparison.document import build_comparison
    from pipeline.evaluation.tables.prediction_files import read_predictions

    out.mkdir(parents=True, exist_ok=True)
    write_answers(out / PREDICTIONS, table.answered)
    table.refuse_all_failed(str(data))
    _refuse_many_failures(table, data, out, max_unreadable)
    manifest = bundle.manifest
    refuse_one_class(data, _answered_rows(table), manifest.class_names)
    read = read_predictions([out / PREDICTIONS], positive=manifest.positive_class, threshold=manifest.threshold)
    predictions = {manifest.variant: next(iter(read.arms.values()))}
    comparison = build_comparison(predictions, warnings=[*told, *read.warnings])
    document = _document(bundle, comparison, len(table.failed))
    _write_figures(out, predictions, comparison)
    write_json(out / METRICS, document)
    return document


def _refuse_many_failures(table: TableAnswers, data: Path, out: Path, limit: float) -> None:
    failed, asked = len(table.failed), table.asked
    if failed > limit * asked:
        raise DataError(
            f"{data}: {failed} of {asked} scans have no answer (limit {limit:.0%}); {out / PREDICTIONS} names them.",
            "Mend or remove them, or raise --max-unreadable.",
        )


def _answered_rows(table: TableAnswers) -> list[PairRow]:
    """The rows as far as they were answered: a scan that failed is taken out of its row."""
    rows = []
    for row, answers in table.answered:
        made = {answer.modality for answer in answers if answer.probability is not None}
        rows.append(PairRow(row.id, row.xray if "xray" in made else None, row.ct if "ct" in made else None, row.copied))
    return rows


def _document(bundle: Bundle, comparison: dict, failed: int) -> dict:
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
