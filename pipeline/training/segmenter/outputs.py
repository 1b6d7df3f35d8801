"""What a training of the multi-head UNet leaves behind: tables, reports and plots of one part of the split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.data.class_index import ClassIndex
from pipeline.evaluation.figures.confusion import confusion_figure
from pipeline.evaluation.figures.modality_titles import title_of
from pipeline.evaluation.figures.roc import roc_figure
from pipeline.evaluation.metrics.classification import class_metrics, confusion_matrix
from pipeline.evaluation.statistics.intervals import class_intervals
from pipeline.evaluation.tables.rows import Rows
from pipeline.training.figures.segmenter import CURVES, overlay_figure, training_figure
from pipeline.training.segmenter.evaluation import ScanAnswers, overlap_summary, overlap_table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from pipeline.training.segmenter.rows import SegmentationRows

OVERLAYS = 8
AVERAGES = {"macro avg": "macro", "weighted avg": "weighted"}


@dataclass(frozen=True)
class JudgedPart:
    """One part of the split with the network's answers; ``overlap`` is of ``overlap_table``."""

    name: str
    index: ClassIndex
    scans: SegmentationRows
    answers: ScanAnswers
    overlap: dict[str, np.ndarray]

    @property
    def classes(self) -> np.ndarray:
        return self.index.class_index[self.answers.positions]

    @property
    def patients(self) -> np.ndarray:
        return self.index.patients[self.answers.positions]

    @property
    def rows(self) -> Rows:
        """The answers on the classes with what is true."""
        return Rows(self.classes, self.answers.probabilities, tuple(self.index.class_names), self.patients)


def judge_part(name: str, index: ClassIndex, scans: SegmentationRows, answers: ScanAnswers) -> JudgedPart:
    """Answers with the overlap of every scan that has a mask."""
    return JudgedPart(name, index, scans, answers, overlap_table(answers, scans))


def part_metrics(part: JudgedPart, positive_class: str | None, seed: int) -> dict[str, Any]:
    """Segmentation and classification of one part, with intervals over patients; ready for JSON."""
    names = list(part.index.class_names)
    return {
        "split": part.name,
        "scans": len(part.classes),
        "patients": len(np.unique(part.patients)),
        "image_size": part.scans.image_size,
        "segmentation": overlap_summary(part.overlap, part.answers, part.scans, names, part.patients, seed),
        "classification": class_intervals(part.rows, seed=seed),
        "confusion": confusion_matrix(part.rows).tolist(),
        "class_names": names,
        "positive_class": positive_class,
    }


def classification_report(part: JudgedPart) -> dict[str, Any]:
    """Precision, recall, F1 and support by class and averaged, in scikit-learn's ``classification_report`` layout."""
    metrics = class_metrics(part.rows)
    report: dict[str, Any] = {name: _report_row(row, row["support"]) for name, row in metrics["per_class"].items()}
    for title, prefix in AVERAGES.items():
        row = {key: metrics[f"{prefix}_{key}"] for key in ("precision", "recall", "f1")}
        report[title] = _report_row(row, len(part.classes))
    return report | {"accuracy": metrics["accuracy"]}


def _report_row(row: dict[str, Any], support: int) -> dict[str, Any]:
    return {"precision": row["precision"], "recall": row["recall"], "f1-score": row["f1"], "support": support}


def part_figures(part: JudgedPart) -> dict[str, Figure]:
    """``confusion_matrix``, ``roc_curves`` and ``sample_overlays`` of one part."""
    rows, what = part.rows, f"{title_of(part.name)}, {len(part.classes)} scans"
    counts, title = {"": {"": confusion_matrix(rows).tolist()}}, f"{what}: count, and share of the true class"
    return {
        "confusion_matrix": confusion_figure(counts, rows.class_names, title),
        "roc_curves": roc_figure({"": {"": rows}}, title=f"{what}: ROC, each class against the rest"),
        "sample_overlays": _overlays(part),
    }


def _overlays(part: JudgedPart) -> Figure:
    """Scans spread over the part, so that every class is among them."""
    names = part.index.class_names
    by_class = np.argsort(part.classes, kind="stable")
    chosen = by_class[np.linspace(0, len(by_class) - 1, min(OVERLAYS, len(by_class))).round().astype(int)]
    images, masks = part.scans.pixels(part.answers.positions[chosen])
    captions = []
    for place in chosen:
        said = part.answers.probabilities[place]
        dice = part.overlap["dice"][place]
        shown = "no mask" if np.isnan(dice) else f"Dice {dice:.3f}"
        captions.append(f"{names[part.classes[place]]}, called {names[said.argmax()]} ({said.max():.2f})\n{shown}")
    return overlay_figure(images, masks.astype(bool), part.answers.lungs[chosen], captions, title_of(part.name))


def training_figures(history: dict[str, list[float]], best: int) -> dict[str, Figure]:
    """``training_curves`` and one figure each: loss, cls_loss, seg_loss, accuracy, dice, val_auc."""
    figures = {"training_curves": training_figure(history, best, list(CURVES))}
    figures |= {name: training_figure(history, best, [name]) for name in CURVES if name != "auc"}
    return figures | {"val_auc": training_figure(history, best, ["auc"])}


def epoch_frame(history: dict[str, list[float]]) -> pd.DataFrame:
    """``metrics_epochwise.csv``: one row an epoch, counted from 1."""
    import pandas as pd

    frame = pd.DataFrame(history)
    frame.insert(0, "epoch", np.arange(1, len(frame) + 1))
    return frame


def predictions_frame(parts: list[JudgedPart]) -> pd.DataFrame:
    """``predictions.csv``: one row a scan, its probabilities by class and its overlap (empty without a mask)."""
    import pandas as pd

    frames = []
    for part in parts:
        index, chosen = part.index, part.answers.positions
        names, probabilities = np.array(index.class_names), part.answers.probabilities
        columns = {
            "id": index.ids[chosen], "patient_id": part.patients, "source": index.sources[chosen], "split": part.name,
            "label": names[part.classes], "predicted": names[probabilities.argmax(axis=1)],
            **{f"probability_{name}": probabilities[:, place] for place, name in enumerate(names)},
            "has_mask": index.has_mask[chosen].astype(int), **part.overlap,
        }  # fmt: skip
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)
