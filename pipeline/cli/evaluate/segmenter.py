"""Judges a segmenter on labelled images: masks and classes, with intervals and figures."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli.evaluate.request import Evaluation
from pipeline.data.reading.gray_reader import read_gray
from pipeline.engine.errors import DataError
from pipeline.engine.files import atomic_write_bytes, atomic_write_text, write_json
from pipeline.engine.interval_text import interval_text

if TYPE_CHECKING:
    import numpy as np

    from pipeline.cli.evaluate.request import EvaluationRequest
    from pipeline.data.layouts.labelled_cases import LabelledCase
    from pipeline.evaluation.tables.rows import MeasuredRows, Rows
    from pipeline.inference.answered_rows import AnsweredRow
    from pipeline.inference.answers import Answer
    from pipeline.inference.opened_bundle import OpenedBundle

PREDICTIONS, SEGMENTATION, METRICS = "predictions.csv", "segmentation.csv", "metrics.json"
FIGURES = ("confusion.png", "roc.png", "dice.png")
OUTPUTS = (PREDICTIONS, SEGMENTATION, METRICS, *FIGURES)
SEED = 0
_SHOWN = ("accuracy", "macro_f1", "macro_auc")


@dataclass
class MaskScores:
    """What is measured on each image with a mask, while its pixels are there."""

    rows: list[tuple[LabelledCase, dict[str, float]]] = field(default_factory=list)
    pooled: list[int] = field(default_factory=lambda: [0, 0])
    resized: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)

    def keep(self, case: LabelledCase, gray: np.ndarray, lung_mask: np.ndarray) -> None:
        """Compare an answer with its true mask at the image's own size; a mask that cannot be read is noted and skipped."""
        from pipeline.data.masks.mask_reader import read_mask_at
        from pipeline.evaluation.metrics.segmentation import segmentation_metrics

        if case.mask is None:
            return
        try:
            true, resized = read_mask_at(case.mask, gray.shape)
        except DataError as error:
            self.unreadable[case.id] = error.message
            return
        self.resized += resized
        self.rows.append((case, segmentation_metrics(true, lung_mask)))
        self.pooled[0] += 2 * int((true & lung_mask).sum())
        self.pooled[1] += int(true.sum()) + int(lung_mask.sum())

    def measured(self, class_names: Sequence[str]) -> MeasuredRows:
        """The measures of every image with a mask."""
        from pipeline.evaluation.metrics.names import SEGMENTATION_METRICS
        from pipeline.evaluation.tables.rows import MeasuredRows

        values = {metric: [row[metric] for _, row in self.rows] for metric in SEGMENTATION_METRICS}
        classes = [list(class_names).index(image.label) for image, _ in self.rows]
        return MeasuredRows(values, classes, tuple(class_names), [image.patient_id for image, _ in self.rows])


def evaluate(segmenter: OpenedBundle, request: EvaluationRequest) -> Evaluation:
    """Answer the labelled images, write OUTPUTS and return the document of `metrics.json` with its words.

    Dice, IoU, HD95 and mean surface distance (px) at each image's own size; every classification metric. Intervals are
    clustered by patient. The X-ray gate is not asked: labelled data say what they are.
    Raises DataError where too many of the images have no answer.
    """
    from pipeline.cli.evaluate.scored_rows import scored_rows
    from pipeline.data.layouts.labelled_cases import read_labelled_cases
    from pipeline.engine.outputs import prepare_output, refuse_overwriting
    from pipeline.inference.answered_rows import answer_rows, refuse_all_failed, refuse_many_failures, write_class_table
    from pipeline.inference.segmenter.lung_geometry import COLUMNS

    data, out = request.data, request.out
    warnings: list[str] = []
    names = segmenter.manifest.class_names
    labelled = read_labelled_cases(data, names, warnings.append, modalities=segmenter.modalities, masks=True)
    scores = MaskScores()
    read = [data, *(path for case in labelled for path in (*case.scans, case.mask) if path is not None)]
    refuse_overwriting([out / name for name in OUTPUTS], read)
    prepare_output(out / PREDICTIONS)

    def ask(case: LabelledCase) -> Answer:
        gray = read_gray(case.scans[0])
        answer = segmenter.answer(gray)
        scores.keep(case, gray, answer.lung_mask)
        return answer.without_pictures(answer.geometry)

    rows = list(answer_rows(request.reporter.track(labelled, len(labelled), "images"), ask))
    write_class_table(out / PREDICTIONS, rows, names, "true_class", COLUMNS)
    refuse_all_failed(rows)
    refuse_many_failures(rows, request.max_unreadable, out / PREDICTIONS)
    atomic_write_text(out / SEGMENTATION, _mask_table(scores))
    document = _document(segmenter, rows, scores, warnings)
    write_json(out / METRICS, document)
    _write_figures(out, scored_rows(segmenter.manifest, rows), scores, names)
    return Evaluation(document, segmentation_words(document, out))


def _document(segmenter: OpenedBundle, answered: Sequence[AnsweredRow], scores: MaskScores, warnings: list[str]) -> dict:
    from pipeline.cli.evaluate.scored_rows import scored_rows
    from pipeline.evaluation.metrics.classification import confusion_matrix
    from pipeline.evaluation.statistics.clusters import cluster_note
    from pipeline.evaluation.statistics.intervals import class_intervals

    manifest = segmenter.manifest
    names = manifest.class_names
    rows = scored_rows(manifest, answered)
    confusion, patients = confusion_matrix(rows).tolist(), rows.patients.tolist()
    notes = [note for note in [cluster_note(patients)] if note]
    if scores.resized:
        notes.append(f"{scores.resized} masks had another size than their image and were stretched to it")
    notes += [f"mask of {name} left out: {message}" for name, message in scores.unreadable.items()]
    return {
        "schema_version": 1,
        "system": segmenter.system,
        "bundle": str(segmenter.path),
        "class_names": list(names),
        "threshold": manifest.threshold,
        "images": len(answered),
        "unreadable": {row.id: row.answer.error for row in answered if row.answer.error is not None},
        "patients": len({patient for patient in patients if patient}) or None,
        "classification": class_intervals(rows, seed=SEED),
        "confusion": confusion,
        "support": {name: sum(counts) for name, counts in zip(names, confusion, strict=True)},
        "segmentation": _segmentation(scores, names),
        "settings": {"seed": SEED, "level": 0.95, "clusters": "patients", "distance_unit": "px of the image's own size"},
        "warnings": [*warnings, *notes],
    }


def _segmentation(scores: MaskScores, names: Sequence[str]) -> dict | None:
    """None where no image has a mask."""
    from pipeline.evaluation.statistics.intervals import measured_intervals

    if not scores.rows:
        return None
    pooled = scores.pooled[0] / scores.pooled[1] if scores.pooled[1] else 1.0
    return {**measured_intervals(scores.measured(names), seed=SEED), "pooled_dice": pooled}


def _mask_table(scores: MaskScores) -> str:
    from pipeline.evaluation.metrics.names import SEGMENTATION_METRICS

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "label", "patient_id", *SEGMENTATION_METRICS])
    for image, row in scores.rows:
        writer.writerow([image.id, image.label, image.patient_id,
                         *(f"{row[name]:.9g}" for name in SEGMENTATION_METRICS)])  # fmt: skip
    return text.getvalue()


def _write_figures(out: Path, rows: Rows, scores: MaskScores, names: Sequence[str]) -> None:
    from pipeline.evaluation.figures.confusion import confusion_figure
    from pipeline.evaluation.figures.measures import by_class, measures_figure
    from pipeline.evaluation.figures.roc import roc_figure
    from pipeline.evaluation.metrics.classification import confusion_matrix

    drawn = {
        "confusion.png": confusion_figure({"": {"": confusion_matrix(rows).tolist()}}, names, "Diagnosis"),
        "roc.png": roc_figure({"": {"": rows}}, title="One class against the rest"),
    }
    if scores.rows:
        drawn["dice.png"] = measures_figure({"dice": by_class(scores.measured(names), "dice")}, "Lungs")
    for name, figure in drawn.items():
        picture = io.BytesIO()
        figure.savefig(picture, format="png", metadata={"Software": None})
        atomic_write_bytes(out / name, picture.getvalue())


def segmentation_words(document: dict, out: Path) -> str:
    """The document as lines for people."""
    failed = len(document["unreadable"])
    lines = [f"{document['images'] - failed} of {document['images']} images answered"
             + (f", {document['patients']} patients" if document["patients"] else "")]  # fmt: skip
    lungs = document["segmentation"]
    if lungs is not None:
        lines.append(f"Lungs, {lungs['scans']} masks: "
                     f"Dice {interval_text(lungs['dice'])}, IoU {interval_text(lungs['iou'])}, "
                     f"HD95 {interval_text(lungs['hd95'], 1)} px, mean surface distance "
                     f"{interval_text(lungs['mean_surface_distance'], 2)} px, "
                     f"pooled Dice {lungs['pooled_dice']:.3f}")  # fmt: skip
        for name, entry in lungs["per_class"].items():
            lines.append(f"  {name:<16} Dice {interval_text(entry['dice'])} ({entry['scans']})")
    metrics = document["classification"]
    lines.append("Classes: " + ", ".join(f"{name.replace('_', ' ')} {interval_text(metrics[name])}" for name in _SHOWN))
    for name, entry in metrics["per_class"].items():
        shown = ", ".join(f"{metric} {interval_text(entry[metric])}" for metric in ("sensitivity", "specificity", "f1", "auc"))
        lines.append(f"  {name:<16} {shown} ({document['support'][name]})")
    lines += [f"note: {warning}" for warning in document["warnings"]]
    lines.append(f"{', '.join(name for name in OUTPUTS if (out / name).exists())} in {out}")
    return "\n".join(lines)
