"""s08: a classifier of scans, its head on frozen features or fine-tuned whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator

from pipeline.engine.config import StageConfig
from pipeline.engine.context import Context
from pipeline.engine.contract import Artifact, Input, Stage, model_artifacts
from pipeline.engine.errors import ConfigError, did_you_mean
from pipeline.training.classifier.settings import ClassifierConfig
from pipeline.training.network_artifacts import save_network

if TYPE_CHECKING:
    from pipeline.training.classifier.task import ClassifierTask, TrainedClassifier

FIGURES = {
    "confusion": "confusion matrix of the test part: counts and shares",
    "roc": "ROC curves of the test part",
    "precision_recall": "precision-recall curves of the test part",
    "training_curves": "losses and validation scores by epoch",
}


def _moved(value: Any) -> None:
    if value is not None:
        raise ValueError("vision and text are now s09, without `fusion:`; what stood below it are s09's own keys")


class Config(ClassifierConfig):
    """A classifier of one profile of s01."""

    fusion: Annotated[None, BeforeValidator(_moved)] = None
    """Always null, as all runs of s08 have recorded it: vision and text are s09."""

    def check_with(self, others: Mapping[str, StageConfig]) -> None:
        profiles = getattr(others.get("s01"), "profiles", None)
        if profiles is not None and self.profile not in profiles:
            raise ConfigError(f"s08: s01 has no profile {self.profile!r}.{did_you_mean(self.profile, profiles)}",
                              f"Its profiles: {', '.join(profiles)}.")  # fmt: skip
        self.check_backbone(profiles[self.profile].size if profiles else None)


def _inputs(config: Config) -> tuple[Input, ...]:
    return (Input("scan_index"), Input("dataset"), Input(f"pixels_{config.profile}"))


def _outputs(config: Config) -> tuple[Artifact, ...]:
    return (
        *model_artifacts("classifier", "the classifier, backbone and input scaling included"),
        Artifact("classification", "classification.json", meaning="class names, positive class, threshold, profile, backbone"),
        Artifact("classifier_probabilities", "probabilities.npy", ("P", "K"), "float32", "probability of each class",
                 "one row for each row of predictions.csv, in its order"),
        Artifact("classifier_predictions", "predictions.csv",
                 meaning="validation and test scans by the stored weights; 'out_of_fold': by the fold that did not see them"),
        Artifact("classifier_metrics", "metrics.json",
                 meaning="validation, test and out-of-fold metrics with patient-clustered intervals"),
        Artifact("classifier_history", "history.json", meaning="losses and validation scores an epoch, of every training"),
        *(Artifact(f"classifier_figure_{name}", f"{name}.png", meaning=meaning) for name, meaning in FIGURES.items()),
    )  # fmt: skip


def _external(config: Config, data: Path | None) -> Iterable[Path]:
    return [Path(name) for name in config.weight_files()]


def run(context: Context) -> None:
    """Train; choose the threshold on validation; look at the test part once."""
    from pipeline.training.classifier.report import kept_words
    from pipeline.training.classifier.task import train_classifier
    from pipeline.training.determinism import make_deterministic

    make_deterministic(context.seed)
    task = _task(context)
    trained = train_classifier(task)
    for name, history in trained.histories.items():
        context.log(f"{name}: {kept_words(history)}")
    save_network(context, "classifier", trained.model)
    _report(context, task, trained)


def _task(context: Context) -> ClassifierTask:
    from pipeline.data.scan_index import TEXT_COLUMNS
    from pipeline.training.classifier.task import ClassifierTask
    from pipeline.training.trained_network import Workshop

    config: Config = context.config
    workshop = Workshop(context.seed, config.stored_precision, context.scratch)
    return ClassifierTask.of(
        context.input(f"pixels_{config.profile}"), context.load_csv("scan_index", text=TEXT_COLUMNS),
        context.load_json("dataset"), config, workshop, context.progress,
    )  # fmt: skip


def _report(context: Context, task: ClassifierTask, trained: TrainedClassifier) -> None:
    from pipeline.training.classifier.report import Decision, report_parts

    config: Config = context.config
    dataset = context.load_json("dataset")
    decision = Decision.of(task.index.class_names, dataset["positive_class"], config.validation)
    report = report_parts(task, trained, decision, context.log)
    context.save("classifier_probabilities", report.probabilities)
    context.save_csv("classifier_predictions", report.frame)
    context.save_json("classifier_metrics", report.metrics)
    context.save_json("classifier_history", report.histories)
    context.save_json("classification", {
        "class_names": list(task.index.class_names), "positive_class": decision.positive_class, "threshold": report.threshold,
        "threshold_rule": config.validation.threshold if decision.positive_class else None,
        "profile": config.profile, "profile_settings": dataset["profiles"][config.profile], "image_size": task.image_size,
        "backbone": config.backbone, "weights": Path(config.weights).name, "taps": list(config.taps), "mode": config.mode,
        "stored_precision": config.stored_precision,
    })  # fmt: skip
    for name, figure in report.figures().items():
        context.save_figure(f"classifier_figure_{name}", figure)


STAGE = Stage("s08_classifier", "a classifier of scans", Config, _inputs, _outputs, run, _external)
