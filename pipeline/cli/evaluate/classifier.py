"""Judges a classifier on labelled images: every metric with its interval, and figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.cli.evaluate.request import Evaluation
from pipeline.engine.errors import DataError

if TYPE_CHECKING:
    from pipeline.cli.evaluate.request import EvaluationRequest
    from pipeline.data.layouts.labelled_cases import LabelledCase
    from pipeline.inference.answered_rows import AnsweredRow
    from pipeline.inference.answers import Answer
    from pipeline.inference.opened_bundle import OpenedBundle

PREDICTIONS, METRICS = "predictions.csv", "metrics.json"
FIGURES = ("confusion", "roc", "precision_recall")
OUTPUTS = (PREDICTIONS, METRICS, *(f"{name}.png" for name in FIGURES))
SEED = 0
_SHOWN = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc", "cohen_kappa")
_SHOWN_OF_CLASS = ("sensitivity", "specificity", "precision", "f1", "auc")


def evaluate(opened: OpenedBundle, request: EvaluationRequest) -> Evaluation:
    """Answer the labelled images, write OUTPUTS and return the document of `metrics.json` with its words.

    Intervals are clustered by patient. Where images have lung masks, `lungs` says how much of the heat maps lies in them and
    what is scored without them (see `lung_findings`). Two classes are told apart by the bundle's own threshold: it was
    chosen on its validation part, never on these images.

    Raises what `read_labelled_cases` raises, and DataError where too many of the images have no answer or what is left is of
    one class; `predictions.csv` is written all the same and names them.
    """
    from pipeline.cli.evaluate.lung_findings import lung_findings, lung_words
    from pipeline.cli.output_folder import refuse_taken_folder, write_findings
    from pipeline.data.layouts.labelled_cases import read_labelled_cases
    from pipeline.engine.outputs import prepare_output, refuse_overwriting
    from pipeline.inference.answered_rows import answer_rows, refuse_all_failed, refuse_many_failures, write_class_table

    data, out, reporter = request.data, request.out, request.reporter
    refuse_taken_folder(out)
    warnings: list[str] = []
    names = opened.manifest.class_names
    labelled = read_labelled_cases(data, names, warnings.append, modalities=opened.modalities)
    refuse_overwriting([out / name for name in OUTPUTS], [data, *(scan for case in labelled for scan in case.scans)])
    prepare_output(out / PREDICTIONS)
    rows = list(answer_rows(reporter.track(labelled, len(labelled), "images"), lambda case: _ask(opened, case)))
    write_class_table(out / PREDICTIONS, rows, names)
    refuse_all_failed(rows)
    refuse_many_failures(rows, request.max_unreadable, out / PREDICTIONS)
    left = {row.label for row in rows if row.answer.error is None}
    if len(left) < 2:
        raise DataError(f"{data}: every image that was answered is {left.pop()}.", "One class cannot be judged.")
    document, figures = _judge(opened, rows, warnings)
    document |= {"bundle": str(opened.path), "lungs": lung_findings(opened, labelled, reporter, SEED)}
    write_findings(out, METRICS, document, figures)
    words = _words(document)
    if document["lungs"] is not None:
        words += lung_words(document["lungs"])
    return Evaluation(document, "\n".join([*words, f"{', '.join(OUTPUTS)} in {out}"]))


def _ask(opened: OpenedBundle, case: LabelledCase) -> Answer:
    """A case without a note is answered by its image."""
    if "note" not in opened.doors:
        return opened.answer(case.scans[0]).without_pictures()
    answer = opened.answer(case.scans[0], note=case.note)
    return answer.without_pictures({"used": " and ".join(answer.used)})


def _judge(opened: OpenedBundle, answered: Sequence[AnsweredRow], warnings: list[str]) -> tuple[dict, dict]:
    from pipeline.cli.evaluate.scored_rows import scored_rows
    from pipeline.evaluation.figures.confusion import confusion_figure
    from pipeline.evaluation.figures.precision_recall import precision_recall_figure
    from pipeline.evaluation.figures.roc import roc_figure
    from pipeline.evaluation.metrics.classification import confusion_matrix
    from pipeline.evaluation.statistics.clusters import cluster_note
    from pipeline.evaluation.statistics.intervals import class_intervals
    from pipeline.inference.answered_rows import failures

    manifest, names = opened.manifest, list(opened.manifest.class_names)
    rows = scored_rows(manifest, answered)
    confusion, clusters = confusion_matrix(rows).tolist(), rows.patients.tolist()
    document = {
        "schema_version": 1,
        "system": opened.system,
        "class_names": names,
        "positive_class": manifest.positive_class,
        "threshold": manifest.threshold,
        "images": len(answered),
        "unreadable": {row.id: finding.error for row, finding in failures(answered)},
        "patients": len(set(clusters) - {""}) or None,
        "metrics": class_intervals(rows, seed=SEED),
        "confusion": confusion,
        "support": {name: sum(counts) for name, counts in zip(names, confusion, strict=True)},
        "settings": {"seed": SEED, "level": 0.95, "clusters": "patients"},
        "warnings": [*warnings, *filter(None, [cluster_note(clusters)])],
    }
    arms = {"": {"images": rows}}
    figures = {
        "confusion": confusion_figure({"": {"": confusion}}, names),
        "roc": roc_figure(arms, seed=SEED, title="ROC, each class against the rest, with 95 % band by patient"),
        "precision_recall": precision_recall_figure(arms, seed=SEED),
    }
    return document, figures


def _words(document: dict) -> list[str]:
    from pipeline.engine.interval_text import interval_text

    failed = len(document["unreadable"])
    patients = f" of {document['patients']} patients" if document["patients"] else ""
    lines = [f"{document['images'] - failed} of {document['images']} images answered{patients}"]
    metrics = document["metrics"]
    lines += [f"  {name.replace('_', ' '):<18} {interval_text(metrics[name])}" for name in _SHOWN]
    for name, entry in metrics["per_class"].items():
        shown = ", ".join(f"{metric} {interval_text(entry[metric])}" for metric in _SHOWN_OF_CLASS)
        lines.append(f"{name} ({document['support'][name]}): {shown}")
    if document["positive_class"]:
        lines.append(f"{document['positive_class']} is named from probability {document['threshold']:.4g} on.")
    return [*lines, *(f"note: {warning}" for warning in document["warnings"])]
