"""Judges a classifier on labelled images: every metric with its interval, and figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.engine.errors import DataError
from pipeline.engine.progress import Reporter

if TYPE_CHECKING:
    from pipeline.cli.evaluate.judged_bundles import JudgedBundle
    from pipeline.data.layouts.source_images import SourceImage
    from pipeline.inference.classifier.answers import ImageAnswer

PREDICTIONS, METRICS = "predictions.csv", "metrics.json"
FIGURES = ("confusion", "roc", "precision_recall")
OUTPUTS = (PREDICTIONS, METRICS, *(f"{name}.png" for name in FIGURES))
SEED = 0
_SHOWN = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc", "cohen_kappa")
_SHOWN_OF_CLASS = ("sensitivity", "specificity", "precision", "f1", "auc")


def evaluate_classifier(
    judged: JudgedBundle, data: Path, out: Path, max_unreadable: float, reporter: Reporter
) -> tuple[dict, str]:
    """Answer the labelled images of `data`, write OUTPUTS into `out`; returns the document of `metrics.json` and its words.

    Intervals are clustered by patient. Where images have lung masks, `lungs` says how much of the heat maps lies in them and
    what is scored without them (see `lung_findings`). Two classes are told apart by the bundle's own threshold: it was
    chosen on its validation part, never on these images.

    Raises what `read_labelled_cases` raises, and DataError where more than
    `max_unreadable` (a share) of the images have no answer or what is left is of one class; `predictions.csv` is written
    all the same and names them.
    """
    from pipeline.cli.evaluate.lung_findings import lung_findings, lung_words
    from pipeline.cli.output_folder import refuse_taken_folder, write_findings
    from pipeline.data.layouts.labelled_cases import read_labelled_cases
    from pipeline.engine.outputs import prepare_output, refuse_overwriting
    from pipeline.inference.classifier.answers import refuse_all_failed, write_class_answers

    refuse_taken_folder(out)
    warnings: list[str] = []
    labelled = read_labelled_cases(data, judged.class_names, warnings.append)
    patients = {image.source: image.patient_id for image in labelled}
    refuse_overwriting([out / name for name in OUTPUTS], [data, *(source.path for source in patients)])
    prepare_output(out / PREDICTIONS)
    answers = judged.answers(reporter.track(labelled, len(labelled), "images"))
    write_class_answers(out / PREDICTIONS, answers, judged.class_names, patients)
    refuse_all_failed(answers)
    _refuse_many_failures(answers, data, out, max_unreadable)
    document, figures = _judge(judged, answers, patients, warnings)
    document |= {"bundle": str(judged.path), "lungs": lung_findings(judged, labelled, reporter, SEED)}
    write_findings(out, METRICS, document, figures)
    words = _words(document)
    if document["lungs"] is not None:
        words += lung_words(document["lungs"])
    return document, "\n".join([*words, f"{', '.join(OUTPUTS)} in {out}"])


def _refuse_many_failures(answers: Sequence[ImageAnswer], data: Path, out: Path, limit: float) -> None:
    from pipeline.inference.classifier.answers import failed_answers

    failed = failed_answers(answers)
    if len(failed) > limit * len(answers):
        raise DataError(
            f"{data}: {len(failed)} of {len(answers)} images have no answer (limit {limit:.0%}); {out / PREDICTIONS} names them.",
            "Mend or remove them, or raise --max-unreadable.",
        )
    left = {answer.image.label for answer in answers if answer.error is None}
    if len(left) < 2:
        raise DataError(f"{data}: every image that was answered is {left.pop()}.", "One class cannot be judged.")


def _judge(
    judged: JudgedBundle, answers: Sequence[ImageAnswer], patients: dict[SourceImage, str], warnings: list[str]
) -> tuple[dict, dict]:
    import numpy as np

    from pipeline.evaluation.figures.confusion import confusion_figure
    from pipeline.evaluation.figures.precision_recall import precision_recall_figure
    from pipeline.evaluation.figures.roc import roc_figure
    from pipeline.evaluation.metrics.classification import confusion_matrix
    from pipeline.evaluation.statistics.clusters import cluster_note
    from pipeline.evaluation.statistics.intervals import class_intervals
    from pipeline.evaluation.tables.rows import Rows
    from pipeline.inference.classifier.answers import failed_answers

    names, mine = list(judged.class_names), [answer for answer in answers if answer.error is None]
    truth = np.array([names.index(answer.image.label) for answer in mine])
    predicted = np.array([names.index(answer.predicted) for answer in mine])
    probabilities = np.array([[answer.probs[name] for name in names] for answer in mine])
    clusters = [patients[answer.image] for answer in mine]
    positive = judged.positive_class
    rows = Rows(truth, probabilities, tuple(names), clusters, None, positive, judged.threshold, predicted)
    confusion = confusion_matrix(rows).tolist()
    document = {
        "schema_version": 1,
        "system": judged.system,
        "class_names": names,
        "positive_class": judged.positive_class,
        "threshold": judged.threshold,
        "images": len(answers),
        "unreadable": {answer.image.relative.as_posix(): answer.error for answer in failed_answers(answers)},
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
