"""What a trained classifier says of its validation and test scans, and what its folds say of all: tables and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.engine.errors import ConfigError
from pipeline.evaluation.figures.confusion import confusion_figure
from pipeline.evaluation.figures.precision_recall import precision_recall_figure
from pipeline.evaluation.figures.roc import roc_figure
from pipeline.evaluation.metrics.classification import confusion_matrix
from pipeline.evaluation.statistics.intervals import class_intervals
from pipeline.evaluation.tables.rows import Rows
from pipeline.training.classifier.decision_threshold import choose_threshold
from pipeline.training.classifier.folds import OutOfFold, cross_validate
from pipeline.training.classifier.minibatch_fit import FitPlan
from pipeline.training.classifier.settings import Validation
from pipeline.training.classifier.task import ClassifierTask, TrainedClassifier, scan_probabilities
from pipeline.training.figures.training_curves import fit_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

OUT_OF_FOLD = "out_of_fold"
NO_FOLD = -1
COUNTS = "count, and share of the true class"
METRICS_NAMES = {"valid": "validation", "test": "test", OUT_OF_FOLD: "folds"}


@dataclass(frozen=True)
class Decision:
    """How probabilities become a class: by a threshold of the positive class of two, else the most probable class."""

    class_names: tuple[str, ...]
    positive_class: str | None
    validation: Validation

    @classmethod
    def of(cls, class_names: tuple[str, ...], positive_class: str | None, validation: Validation) -> Decision:
        """Two classes need a positive one by name; more have none, whatever the dataset names.

        Raises:
            ConfigError: two classes, and the dataset's positive class is neither.
        """
        if len(class_names) > 2:
            return cls(class_names, None, validation)
        if positive_class not in class_names:
            raise ConfigError(f"s08 tells {' and '.join(class_names)} apart, and the positive class is {positive_class!r}.",
                              "Name one of the two as s01.positive_class.")  # fmt: skip
        return cls(class_names, positive_class, validation)

    @property
    def position(self) -> int:
        return self.class_names.index(self.positive_class) if self.positive_class else -1

    def threshold_of(self, class_index: np.ndarray, probabilities: np.ndarray) -> float:
        """The threshold that the rule picks on validation rows; 0.5 where none is needed."""
        rule = self.validation.threshold
        if self.positive_class is None or rule == "half":
            return 0.5
        positive = (class_index == self.position).astype(np.int8)
        return choose_threshold(positive, probabilities[:, self.position], rule, self.validation.threshold_target).value

    def predicted(self, probabilities: np.ndarray, threshold: float | np.ndarray) -> np.ndarray:
        """Predicted classes ``(n,)``; the threshold may be one a row."""
        if self.positive_class is None:
            return probabilities.argmax(axis=1)
        return np.where(probabilities[:, self.position] >= threshold, self.position, 1 - self.position)


@dataclass
class Part:
    """Answers for some rows of the index: which, by which weights, their probabilities ``(n, K)`` and predicted classes."""

    name: str
    rows: np.ndarray
    fold: np.ndarray
    probabilities: np.ndarray
    predicted: np.ndarray

    def judged(self, task: ClassifierTask, decision: Decision) -> Rows:
        """The answers with what is true."""
        index = task.index
        return Rows(
            index.class_index[self.rows], self.probabilities, tuple(index.class_names), index.patients[self.rows],
            index.ids[self.rows], decision.positive_class, predicted=self.predicted,
        )  # fmt: skip


@dataclass
class ClassifierReport:
    task: ClassifierTask
    decision: Decision
    parts: list[Part]
    histories: dict
    metrics: dict
    threshold: float | None

    @property
    def probabilities(self) -> np.ndarray:
        return np.concatenate([part.probabilities for part in self.parts])

    @property
    def frame(self) -> pd.DataFrame:
        """One row an answer: id, patient_id, split, fold, label, predicted, confidence and a probability a class."""
        import pandas as pd

        return pd.concat([_frame(part, self.task) for part in self.parts], ignore_index=True)

    def figures(self) -> dict[str, Figure]:
        """The test part's confusion matrix and curves, and the curves of the last training."""
        part = next(part for part in self.parts if part.name == "test")
        arms = {"": {"": part.judged(self.task, self.decision)}}
        title, confusion = f"Test part, {len(part.rows)} scans", {"": {"": self.metrics["test"]["confusion"]}}
        name, history = list(self.histories.items())[-1 if "finetuning" in self.histories else 0]
        seed = self.task.workshop.seed
        return {
            "confusion": confusion_figure(confusion, self.task.index.class_names, f"{title}: {COUNTS}"),
            "roc": roc_figure(arms, seed=seed, title=f"{title}: ROC"),
            "precision_recall": precision_recall_figure(arms, seed=seed, title=f"{title}: precision and recall"),
            "training_curves": _training_figure(name, history),
        }  # fmt: skip


def report_parts(
    task: ClassifierTask, trained: TrainedClassifier, decision: Decision, log: Callable[[str], None]
) -> ClassifierReport:
    """Answer validation and test with the stored weights, and every scan out of fold where the settings ask for it."""
    index, histories = task.index, dict(trained.histories)
    answers = {split: scan_probabilities(trained.model, task, index.positions(split)) for split in ("valid", "test")}
    threshold = decision.threshold_of(index.class_index[index.positions("valid")], answers["valid"])
    parts = [
        Part(split, rows := index.positions(split), np.full(len(rows), NO_FOLD), probs, decision.predicted(probs, threshold))
        for split, probs in answers.items()
    ]
    if task.settings.validation.folds:
        folds = _folds(task, trained, decision)
        histories["folds"] = folds.histories
        everything = np.arange(len(index.rows))
        parts.append(Part(OUT_OF_FOLD, everything, folds.fold, folds.probabilities,
                          decision.predicted(folds.probabilities, folds.threshold)))  # fmt: skip
    metrics = {METRICS_NAMES[part.name]: _metrics(part, task, decision) for part in parts}
    for name, said in metrics.items():
        log(f"{name}: accuracy {said['metrics']['accuracy']['value']:.3f}, AUC {said['metrics']['macro_auc']['value']:.3f}, "
            f"{said['rows']} scans of {said['patients']} patients")  # fmt: skip
    return ClassifierReport(task, decision, parts, histories, metrics, threshold if decision.positive_class else None)


def _folds(task: ClassifierTask, trained: TrainedClassifier, decision: Decision) -> OutOfFold:
    settings = task.settings
    return cross_validate(
        trained.views, task.index.class_index, task.index.patients, task.recipe, FitPlan(settings.fit, settings.loss),
        settings.validation.folds, task.workshop.apart("folds"), decision.threshold_of,
    )  # fmt: skip


def _metrics(part: Part, task: ClassifierTask, decision: Decision) -> dict:
    index = task.index
    rows = part.judged(task, decision)
    said = {
        "rows": len(part.rows), "patients": len(set(index.patients[part.rows])), "class_names": list(index.class_names),
        "confusion": confusion_matrix(rows).tolist(), "positive_class": decision.positive_class,
        "metrics": class_intervals(rows, seed=task.workshop.seed),
    }  # fmt: skip
    if part.name == OUT_OF_FOLD:
        right = part.predicted == rows.truth
        said["fold_accuracy"] = [float(right[part.fold == fold].mean()) for fold in np.unique(part.fold)]
    return said


def kept_words(history: Mapping[str, Any]) -> str:
    """Which of a training's epochs, or of the penalties that it tried, gave the weights."""
    best, penalties = history["best_epoch"], history.get("inverse_penalty")
    if penalties is None:
        return f"kept epoch {best + 1} of {len(history['loss'])}"
    if len(penalties) == 1:
        return f"one penalty, C = {penalties[0]:g}"
    tried = ", ".join(f"{penalty:g}" for penalty in penalties)
    return f"kept the penalty C = {penalties[best]:g}, which has the least validation loss of {tried}"


def _training_figure(name: str, history: dict) -> Figure:
    curves = {key: values for key, values in history.items() if key != "best_epoch"}
    penalties = curves.pop("inverse_penalty", None)
    if penalties is None:
        what = "Training of the head" if name == "head" else "Training of the network"
        return fit_figure(curves, f"{what}: {kept_words(history)}", history["best_epoch"])
    title = f"Logistic head: {kept_words(history)}"
    figure = fit_figure({"step": penalties, **curves}, title, history["best_epoch"], "C, the inverse of the penalty")
    for axis in figure.axes:
        axis.set_xscale("log")
    return figure


def _frame(part: Part, task: ClassifierTask) -> pd.DataFrame:
    import pandas as pd

    index, names = task.index, np.asarray(task.index.class_names)
    return pd.DataFrame({
        "id": index.ids[part.rows], "patient_id": index.patients[part.rows], "split": part.name, "fold": part.fold,
        "label": names[index.class_index[part.rows]], "predicted": names[part.predicted],
        "confidence": part.probabilities[np.arange(len(part.rows)), part.predicted],
        **{f"prob_{name}": part.probabilities[:, place] for place, name in enumerate(names)},
    })  # fmt: skip
