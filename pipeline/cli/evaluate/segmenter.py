"""Judges a segmenter on labelled images: masks and classes, with intervals and figures."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from matplotlib.figure import Figure

from pipeline.cli.evaluate.flow import SEED, Evaluator, answered_words, scores_text
from pipeline.data.csv_rows import write_rows
from pipeline.data.layouts.labelled_cases import LabelledCase
from pipeline.data.masks.lung_geometry import COLUMNS
from pipeline.data.masks.mask_coding import MaskCoding
from pipeline.data.masks.mask_reader import read_mask_at, share_fault
from pipeline.data.reading.scan_reader import read_scan
from pipeline.engine.errors import DataError
from pipeline.engine.interval_text import interval_text
from pipeline.evaluation.figures.confusion import confusion_figure
from pipeline.evaluation.figures.measures import by_class, measures_figure
from pipeline.evaluation.figures.roc import roc_figure
from pipeline.evaluation.metrics.names import SEGMENTATION_METRICS
from pipeline.evaluation.metrics.segmentation import segmentation_metrics
from pipeline.evaluation.statistics.intervals import class_intervals, measured_intervals
from pipeline.evaluation.tables.rows import MeasuredRows
from pipeline.inference.answered_rows import PREDICTIONS, AnsweredRow
from pipeline.inference.answers import Answer

SEGMENTATION = "segmentation.csv"
DICE = "Lungs: Dice of every mask, and the mean of each class"
_SHOWN = ("accuracy", "macro_f1", "macro_auc")
_SHOWN_OF_CLASS = ("sensitivity", "specificity", "f1", "auc")


@dataclass
class MaskScores:
    """What is measured on each image with a mask, while its pixels are there."""

    rows: list[tuple[LabelledCase, dict[str, float]]] = field(default_factory=list)
    pixels: list[tuple[int, int]] = field(default_factory=list)
    resized: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)
    doubtful: dict[str, str] = field(default_factory=dict)

    def keep(self, case: LabelledCase, gray: np.ndarray, lung_mask: np.ndarray, coding: MaskCoding | None) -> None:
        """Compare an answer with its true mask at the image's own size; a mask that cannot be read is noted and skipped."""
        if case.mask is None or coding is None:
            return
        try:
            true, resized = read_mask_at(case.mask, gray.shape, coding)
        except DataError as error:
            self.unreadable[case.id] = error.message
            return
        self.resized += resized
        if (doubt := share_fault(true)) is not None:
            self.doubtful[case.id] = doubt
        self.rows.append((case, segmentation_metrics(true, lung_mask)))
        self.pixels.append((2 * int((true & lung_mask).sum()), int(true.sum()) + int(lung_mask.sum())))

    def of(self, ids: Collection[str]) -> MaskScores:
        """Those of some images."""
        kept = [row for row, (case, _) in enumerate(self.rows) if case.id in ids]
        rows, pixels = [self.rows[row] for row in kept], [self.pixels[row] for row in kept]
        return MaskScores(rows, pixels, self.resized, self.unreadable, self.doubtful)

    @property
    def pooled_dice(self) -> float:
        """Of all their pixels together."""
        twice_shared, of_both = (sum(counts) for counts in zip(*self.pixels, strict=True))
        return twice_shared / of_both if of_both else 1.0

    def measured(self, class_names: Sequence[str]) -> MeasuredRows:
        """The measures of every image with a mask."""
        values = {metric: [row[metric] for _, row in self.rows] for metric in SEGMENTATION_METRICS}
        classes = [list(class_names).index(image.label) for image, _ in self.rows]
        return MeasuredRows(values, classes, tuple(class_names), [image.patient_id for image, _ in self.rows])

    @property
    def notes(self) -> list[str]:
        """Sentences on masks that did not fit, are doubtful or could not be read."""
        resized = f"{self.resized} masks had another size than their image and were stretched to it"
        return [*([resized] if self.resized else []),
                *(f"mask of {name}: {doubt}" for name, doubt in self.doubtful.items()),
                *(f"mask of {name} left out: {message}" for name, message in self.unreadable.items())]  # fmt: skip


class SegmenterEvaluator(Evaluator):
    """Judges a bundle that draws lungs and names a class, by both.

    Dice, IoU, HD95 and mean surface distance (px) at each image's own size; every classification metric.
    """

    figures = ("confusion", "roc", "dice")
    tables = (PREDICTIONS, SEGMENTATION)
    masks = True
    label = "true_class"
    columns = COLUMNS

    @cached_property
    def scores(self) -> MaskScores:
        """Filled while the cases are asked."""
        return MaskScores()

    def ask(self, case: LabelledCase) -> Answer:
        scan = read_scan(case.scans[0], with_colour=False)
        answer = self.opened.answer(scan)
        self.scores.keep(case, scan.gray, answer.lung_mask, self.coding)
        return answer.without_pictures(answer.geometry)

    def narrowed(self, rows: Sequence[AnsweredRow], out: Path) -> Self:
        twin = super().narrowed(rows, out)
        # Masks are measured by scan, also where answers are put together by patient.
        named, of_patients = {row.id for row in rows}, self.request.rule is not None
        kept = {case.id for case, _ in self.scores.rows if (case.patient_id if of_patients else case.id) in named}
        twin.scores = self.scores.of(kept)
        return twin

    def refuse_one_class(self, rows: Sequence[AnsweredRow]) -> None:
        """Masks can be judged where there is one class."""

    def judge(self, answered: Sequence[AnsweredRow]) -> tuple[dict, Mapping[str, Figure]]:
        rows, scores, names = self.scored(answered), self.scores, self.manifest.class_names
        lines = [(case.id, case.label, case.patient_id, *map(row.get, SEGMENTATION_METRICS)) for case, row in scores.rows]
        write_rows(self.out / SEGMENTATION, ("image", "label", "patient_id", *SEGMENTATION_METRICS), lines)
        document = self.class_document(answered, rows, scores.notes, distance_unit="px of the image's own size")
        document |= {"classification": class_intervals(rows, seed=SEED), "segmentation": None}
        figures = {
            "confusion": confusion_figure({"": {"": document["confusion"]}}, names),
            "roc": roc_figure({"": {"": rows}}, title="ROC, each class against the rest"),
        }
        if scores.rows:
            measured = scores.measured(names)
            document["segmentation"] = {**measured_intervals(measured, seed=SEED), "pooled_dice": scores.pooled_dice}
            figures["dice"] = measures_figure({"dice": by_class(measured, "dice")}, DICE)
        return document, figures

    def words(self, document: dict) -> list[str]:
        lines = [answered_words(document, ", ")]
        lungs = document["segmentation"]
        if lungs is not None:
            lines.append(f"Lungs, {lungs['scans']} masks: "
                         f"Dice {interval_text(lungs['dice'])}, IoU {interval_text(lungs['iou'])}, "
                         f"HD95 {interval_text(lungs['hd95'], 1)} px, mean surface distance "
                         f"{interval_text(lungs['mean_surface_distance'], 2)} px, "
                         f"pooled Dice {lungs['pooled_dice']:.3f}")  # fmt: skip
            dice = {name: f"Dice {interval_text(entry['dice'])} ({entry['scans']})" for name, entry in lungs["per_class"].items()}
            lines += [f"  {name:<16} {told}" for name, told in dice.items()]
        metrics = document["classification"]
        classes = [
            f"  {name:<16} {scores_text(entry, _SHOWN_OF_CLASS)} ({document['support'][name]})"
            for name, entry in metrics["per_class"].items()
        ]
        return [*lines, f"Classes: {scores_text(metrics, _SHOWN)}", *classes]


evaluate = SegmenterEvaluator.evaluate
