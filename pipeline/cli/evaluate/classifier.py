"""Judges a classifier on labelled images: every metric with its interval, and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from pipeline.cli.evaluate.flow import LEVEL, SEED, Evaluator, answered_words, scores_text
from pipeline.cli.evaluate.lung_findings import lung_findings, lung_words
from pipeline.data.layouts.labelled_cases import LabelledCase
from pipeline.engine.interval_text import interval_text
from pipeline.evaluation.figures.confusion import confusion_figure
from pipeline.evaluation.figures.precision_recall import precision_recall_figure
from pipeline.evaluation.figures.roc import roc_figure
from pipeline.evaluation.metrics.names import metric_words
from pipeline.evaluation.statistics.intervals import class_intervals
from pipeline.inference.answered_rows import AnsweredRow
from pipeline.inference.answers import Answer

_SHOWN = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc", "cohen_kappa")
_SHOWN_OF_CLASS = ("sensitivity", "specificity", "precision", "f1", "auc")


class ClassifierEvaluator(Evaluator):
    """Judges a bundle of images, alone or with their notes, by the classes.

    Where images have lung masks, `lungs` says how much of the heat maps lies in them and what is scored without them (see
    `lung_findings`). Two classes are told apart by the bundle's own threshold: it was chosen on its validation part, never
    on these images.
    """

    figures = ("confusion", "roc", "precision_recall")

    def ask(self, case: LabelledCase) -> Answer:
        """A case without a note is answered by its image."""
        if "note" not in self.opened.doors:
            return self.opened.answer(case.scans[0]).without_pictures()
        answer = self.opened.answer(case.scans[0], note=case.note)
        return answer.without_pictures({"used": " and ".join(answer.used)})

    def judge(self, answered: Sequence[AnsweredRow]) -> tuple[dict, Mapping[str, Figure]]:
        rows = self.scored(answered)
        document = self.class_document(answered, rows)
        document["metrics"] = class_intervals(rows, seed=SEED, level=LEVEL)
        document["lungs"] = lung_findings(self.opened, self.cases, self.coding, self.request.reporter, SEED)
        arms = {"": {"": rows}}
        return document, {
            "confusion": confusion_figure({"": {"": document["confusion"]}}, rows.class_names),
            "roc": roc_figure(arms, seed=SEED, title="ROC, each class against the rest"),
            "precision_recall": precision_recall_figure(arms, seed=SEED),
        }

    def words(self, document: dict) -> list[str]:
        metrics = document["metrics"]
        lines = [answered_words(document, " of ")]
        lines += [f"  {metric_words(name):<18} {interval_text(metrics[name])}" for name in _SHOWN]
        lines += [
            f"{name} ({document['support'][name]}): {scores_text(entry, _SHOWN_OF_CLASS)}"
            for name, entry in metrics["per_class"].items()
        ]
        if document["positive_class"]:
            lines.append(f"{document['positive_class']} is named from probability {document['threshold']:.4g} on.")
        return lines + (lung_words(document["lungs"]) if document["lungs"] is not None else [])


evaluate = ClassifierEvaluator.evaluate
