"""s08: a classifier of scans, its head on frozen features or fine-tuned whole; or vision and text compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.engine.arrays import read_layout
from pipeline.engine.config import StageConfig
from pipeline.engine.context import Context
from pipeline.engine.contract import Artifact, Input, Stage, model_artifacts
from pipeline.engine.errors import ConfigError, did_you_mean
from pipeline.training.classifier.settings import ClassifierConfig
from pipeline.training.network_artifacts import save_network
from pipeline.training.vision_text.settings import FusionSettings

if TYPE_CHECKING:
    from pipeline.training.classifier.task import ClassifierTask, TrainedClassifier

FIGURES = {
    "confusion": "confusion matrix of the test part: counts and shares",
    "roc": "ROC curves of the test part",
    "precision_recall": "precision-recall curves of the test part",
    "training_curves": "losses and validation scores by epoch",
}


class Config(ClassifierConfig):
    """A classifier of one profile; with ``fusion``, vision and text are compared instead and the other keys are unused."""

    fusion: FusionSettings | None = None

    def check_with(self, others: Mapping[str, StageConfig]) -> None:
        profiles = getattr(others.get("s01"), "profiles", None)
        name = self.fusion.profile if self.fusion else self.profile
        if profiles is not None and name not in profiles:
            raise ConfigError(f"s08: s01 has no profile {name!r}.{did_you_mean(name, profiles)}",
                              f"Its profiles: {', '.join(profiles)}.")  # fmt: skip
        if self.fusion is None:
            self.check_backbone(profiles[name].size if profiles else None)


def _inputs(config: Config) -> tuple[Input, ...]:
    if config.fusion:
        from pipeline.training.vision_text.comparison import fusion_inputs

        return fusion_inputs(config.fusion)
    return (Input("scan_index"), Input("dataset"), Input(f"pixels_{config.profile}"))


def _outputs(config: Config) -> tuple[Artifact, ...]:
    if config.fusion:
        from pipeline.training.vision_text.comparison import fusion_outputs

        return fusion_outputs(config.fusion)
    return (
        *model_artifacts("classifier", "the classifier, backbone and input scaling included"),
        Artifact("classifier", "classification.json", meaning="class names, positive class, threshold, profile, backbone"),
        Artifact("probabilities", "probabilities.npy", ("P", "K"), "float32", "probability of each class",
                 "one row for each row of predictions.csv, in its order"),
        Artifact("predictions", "predictions.csv",
                 meaning="validation and test scans by the stored weights; 'out_of_fold': by the fold that did not see them"),
        Artifact("metrics", "metrics.json", meaning="validation, test and out-of-fold metrics with patient-clustered intervals"),
        Artifact("history", "history.json", meaning="losses and validation scores an epoch, of every training"),
        *(Artifact(f"figure_{name}", f"{name}.png", meaning=meaning) for name, meaning in FIGURES.items()),
    )  # fmt: skip


def _external(config: Config, data: Path | None) -> Iterable[Path]:
    return [Path(name) for name in (config.fusion or config).weight_files()]


def run(context: Context) -> None:
    """Train; choose the threshold on validation; look at the test part once."""
    if context.config.fusion:
        from pipeline.training.vision_text.comparison import run_fusion

        return run_fusion(context, context.config.fusion)

    from pipeline.training.classifier.task import train_classifier
    from pipeline.training.determinism import make_deterministic

    make_deterministic(context.seed)
    task = _task(context)
    trained = train_classifier(task)
    for name, history in trained.histories.items():
        context.log(f"{name}: kept epoch {history['best_epoch'] + 1} of {len(history['loss'])}")
    save_network(context, "classifier", trained.model)
    _report(context, task, trained)


def _task(context: Context) -> ClassifierTask:
    from pipeline.data.class_index import class_index_of
    from pipeline.data.scan_index import TEXT_COLUMNS
    from pipeline.training.classifier.task import ClassifierTask
    from pipeline.training.trained_network import Workshop

    config: Config = context.config
    pixels = context.input(f"pixels_{config.profile}")
    modality = context.load_json("dataset")["profiles"][config.profile]["modality"]
    index = class_index_of(context.load_csv("scan_index", text=TEXT_COLUMNS), modality, config.classes)
    workshop = Workshop(context.seed, config.stored_precision, context.scratch)
    return ClassifierTask(pixels, read_layout(pixels).shape[1], index, config, workshop, context.progress)


def _report(context: Context, task: ClassifierTask, trained: TrainedClassifier) -> None:
    from pipeline.training.classifier.report import Decision, report_parts

    config: Config = context.config
    dataset = context.load_json("dataset")
    decision = Decision.of(task.index.class_names, dataset["positive_class"], config.validation)
    report = report_parts(task, trained, decision, context.log)
    context.save("probabilities", report.probabilities)
    context.save_csv("predictions", report.frame)
    context.save_json("metrics", report.metrics)
    context.save_json("history", report.histories)
    context.save_json("classifier", {
        "class_names": list(task.index.class_names), "positive_class": decision.positive_class, "threshold": report.threshold,
        "threshold_rule": config.validation.threshold if decision.positive_class else None,
        "profile": config.profile, "profile_settings": dataset["profiles"][config.profile], "image_size": task.image_size,
        "backbone": config.backbone, "weights": Path(config.weights).name, "taps": list(config.taps), "mode": config.mode,
        "stored_precision": config.stored_precision,
    })  # fmt: skip
    for name, figure in report.figures().items():
        context.save_figure(f"figure_{name}", figure)


STAGE = Stage("s08_classifier", "a classifier of scans; or vision and text compared", Config, _inputs, _outputs, run, _external)
