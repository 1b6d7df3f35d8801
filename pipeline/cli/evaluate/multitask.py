"""Judges a bundle of both modalities on labelled scans: metrics by modality and of pairs, with intervals and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from pipeline.cli.evaluate.flow import Evaluator
from pipeline.data.layouts.labelled_cases import LabelledCase, refuse_one_sided
from pipeline.data.layouts.pair_table import PairRow
from pipeline.engine.interval_text import interval_text
from pipeline.evaluation.comparison.document import build_comparison
from pipeline.evaluation.figures.calibration import calibration_figure
from pipeline.evaluation.figures.comparison import ordered_classes
from pipeline.evaluation.figures.confusion import confusion_figure
from pipeline.evaluation.figures.roc import roc_figure
from pipeline.evaluation.metrics.names import metric_words
from pipeline.evaluation.tables.prediction_files import read_predictions
from pipeline.evaluation.tables.rows import Arms
from pipeline.inference.answered_rows import PREDICTIONS, AnsweredRow, ask_pair, failures, write_findings_table
from pipeline.inference.answers import TITLES, Answer

# A bundle is one model: a comparison's titles speak of a mean over trainings.
TITLES_OF_FIGURES = {
    "roc": "ROC",
    "confusion": "Count, and share of the true class",
    "calibration": "Calibration",
}
_SHOWN = ("accuracy", "auc", "macro_auc", "macro_f1", "sensitivity", "specificity")


class MultitaskEvaluator(Evaluator):
    """Judges a bundle of X-rays, CTs and pairs, by modality."""

    figures = tuple(TITLES_OF_FIGURES)
    what = "scans"

    def ask(self, case: LabelledCase) -> Answer:
        return ask_pair(self.opened, case)

    def write_table(self, path: Path, rows: Sequence[AnsweredRow]) -> None:
        """Write the answers: a row a modality of a case."""
        write_findings_table(path, rows, self.manifest.class_names)

    def refuse_one_class(self, rows: Sequence[AnsweredRow]) -> None:
        """Raise DataError where a modality was answered for one class only: a scan that failed is taken out of its row."""
        found = []
        for case, row in zip(self.cases, rows, strict=True):
            made = {finding.modality for finding in row.answer.findings if finding.error is None}
            found.append(
                PairRow(case.id, case.xray if "xray" in made else None, case.ct if "ct" in made else None, case.copied)
            )
        refuse_one_sided(self.request.data, found, self.manifest.class_names)

    def judge(self, rows: Sequence[AnsweredRow]) -> tuple[dict, Mapping[str, Figure]]:
        manifest, variant = self.manifest, self.manifest.variant
        positive, threshold = manifest.positive_class, manifest.class_threshold
        read = read_predictions([self.out / PREDICTIONS], positive=positive, threshold=0.5 if threshold is None else threshold)
        arms = {variant: next(iter(read.arms.values()))}
        comparison = build_comparison(arms, warnings=[*self.warnings, *read.warnings])
        document = {
            "schema_version": 1,
            "system": self.opened.system,
            "bundle": str(self.opened.path),
            "variant": variant,
            "class_names": list(manifest.class_names),
            "positive_class": manifest.positive_class,
            "threshold": manifest.threshold,
            "modalities": {name: by_arm[variant] for name, by_arm in comparison["modalities"].items()},
            "confusion": {name: by_arm[variant] for name, by_arm in comparison["confusion"].items()},
            "counts": comparison["counts"],
            "unreadable": len(failures(rows)),
            "settings": {name: comparison["settings"][name] for name in ("resamples", "level", "seed")},
            "warnings": comparison["warnings"],
        }
        return document, self.draw(arms, comparison)

    def draw(self, arms: Arms, comparison: dict) -> Mapping[str, Figure]:
        titles, classes = TITLES_OF_FIGURES, ordered_classes(comparison)
        return {
            "roc": roc_figure(arms, comparison, title=titles["roc"]),
            "confusion": confusion_figure(comparison["confusion"], classes, titles["confusion"]),
            "calibration": calibration_figure(arms, title=titles["calibration"]),
        }

    def words(self, document: dict) -> list[str]:
        lines = []
        for modality, metrics in document["modalities"].items():
            counts = document["counts"][modality]
            by_class = counts.get("by_class") or {document["positive_class"]: counts["positive"]}
            of = ", ".join(f"{count} {name}" for name, count in by_class.items())
            held = f"{counts['rows']} rows, {of}, {counts['clusters']} patients"
            scores = [f"  {metric_words(name):<12} {interval_text(metrics[name])}" for name in _SHOWN if name in metrics]
            lines += [f"{TITLES[modality]}: {held}", *scores]
        return lines


evaluate = MultitaskEvaluator.evaluate
