"""s07: the multi-head UNet, which outlines the lungs and names the diagnosis, and the gate before it."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.data.masks.lung_components import LungPieces
from pipeline.engine.config import StageConfig
from pipeline.engine.context import Context
from pipeline.engine.contract import Artifact, Input, Stage, model_artifacts
from pipeline.engine.errors import ConfigError, did_you_mean
from pipeline.engine.settings import Settings
from pipeline.training.segmenter.settings import REDUCTION, Architecture, SegmentationFit, files_of_start, is_bundle

if TYPE_CHECKING:
    import keras
    import pandas as pd

    from pipeline.data.class_index import ClassIndex
    from pipeline.training.kept_epoch import FitHistory
    from pipeline.training.segmenter.outputs import JudgedPart
    from pipeline.training.segmenter.rows import SegmentationRows

CURVE_FIGURES = ("training_curves", "loss", "cls_loss", "seg_loss", "accuracy", "dice", "val_auc")
PART_FIGURES = ("confusion_matrix", "roc_curves", "sample_overlays")
THRESHOLD = 0.5
# of a bundle's network, whose batch normalisations look at so many scans before it trains on
START_SCANS = 32
TOLD = {"loss": "loss", "val_loss": "validation loss", "val_dice": "Dice", "val_accuracy": "accuracy", "val_auc": "AUC"}


class Gate(Settings):
    """The X-ray gate."""

    profile: str
    """The profile of s01 whose scans, of every class, it learns to recognise."""


class Config(StageConfig):
    """A multi-head UNet on one of s01's profiles."""

    profile: str = "xray_256"
    """The profile of s01 that it reads; s01.lung_masks must name it, and its size be a multiple of 16 px."""
    classes: tuple[str, ...] | None = None
    """The labels to tell apart, in the order of the probabilities; null: all, sorted. Rows of other labels are left out."""
    positive_class: str | None = None
    """The class that is looked for, one of classes; null: none."""
    architecture: Architecture = Architecture()
    """The network's widths and its dropout."""
    initial_weights: str | None = None
    """What to start from: a segmenter's bundle (its folder, as pretrained/radiography_unet, or its .onnx), a PyTorch checkpoint
    (.pth, .pt) or Keras weights (.weights.h5); null: random weights."""
    fit: SegmentationFit = SegmentationFit()
    """The training."""
    lung_pieces: LungPieces = "all"
    """`two_largest` keeps the two largest pieces of an outline and fills their holes, in the figures of both parts and at
    inference."""
    mirror_average: bool = False
    """The answer is the mean over a scan and its mirror image, in the figures of both parts and at inference."""
    stored_precision: Literal["float16", "float32"] = "float16"
    """Kernels are rounded to it before any figure is taken."""
    tensorboard: bool = False
    """Write event files for TensorBoard."""
    gate: Gate | None = None
    """Fit an X-ray gate on the training scans of every class, its threshold on validation; null: no gate."""

    def check_with(self, others: Mapping[str, StageConfig]) -> None:
        first = others.get("s01")
        profiles = getattr(first, "profiles", None)
        if profiles is not None:
            if self.profile not in profiles:
                raise ConfigError(f"s07.profile: s01 has no profile {self.profile!r}.{did_you_mean(self.profile, profiles)}")
            size = profiles[self.profile].size
            if size % REDUCTION:
                raise ConfigError(f"s07: profile {self.profile!r} has {size} px, no multiple of {REDUCTION}.", "Change its size.")
            if self.profile not in getattr(first, "lung_masks", ()):
                raise ConfigError(f"s07 learns from lung masks, and s01 writes none for {self.profile!r}.",
                                  f"Add s01.lung_masks: [{self.profile}].")  # fmt: skip
        for name in (self.gate.profile,) if self.gate is not None and profiles is not None else ():
            if name not in profiles:
                raise ConfigError(f"s07.gate.profile: s01 has no profile {name!r}.{did_you_mean(name, profiles)}")
        if self.classes is not None and self.positive_class not in (None, *self.classes):
            raise ConfigError(f"s07.positive_class {self.positive_class!r} is not among s07.classes.")
        given = self.initial_weights
        if given is not None and not given.endswith((".pth", ".pt", ".weights.h5")) and not is_bundle(given):
            raise ConfigError(f"s07.initial_weights {given!r} is neither a bundle's folder nor .onnx, .pth or .weights.h5.")


def _inputs(config: Config) -> tuple[Input, ...]:
    profiles = dict.fromkeys((config.profile, *((config.gate.profile,) if config.gate else ())))
    pixels = (Input(f"pixels_{name}") for name in profiles)
    return (Input("scan_index"), Input("dataset"), *pixels, Input(f"lung_mask_{config.profile}"))


def _outputs(config: Config) -> tuple[Artifact, ...]:
    logs = (
        Artifact("segmenter_tensorboard", "tensorboard/", meaning="event files: tensorboard --logdir"),
    ) if config.tensorboard else ()  # fmt: skip
    gate = (
        *model_artifacts("gate_backbone", "frozen network of the X-ray gate"),
        Artifact("gate_statistics", "gate.npz", meaning="mean, whitening and threshold of the X-ray gate"),
        Artifact("gate", "gate.json", meaning="profile, threshold and accepted shares of the X-ray gate"),
    ) if config.gate else ()  # fmt: skip
    return (
        *model_artifacts("unet", "multi-head UNet at its best validation epoch, kernels rounded as stored"),
        Artifact("segmenter", "segmenter.json", meaning="class names, profile, threshold: what inference needs to know"),
        Artifact("segmenter_checkpoints", "checkpoints/",
                 meaning="weights of the best, the last and every n-th epoch, as trained"),
        Artifact("segmenter_metrics_epochwise", "metrics_epochwise.csv", meaning="losses and scores an epoch"),
        Artifact("segmenter_training_summary", "training_summary.json", meaning="epochs, best epoch, parameters, settings"),
        Artifact("segmenter_predictions", "predictions.csv", meaning="one row a scan: probabilities, overlap"),
        Artifact("segmenter_metrics", "metrics.json", meaning="validation: overlap, distances, classification, with intervals"),
        Artifact("segmenter_classification_report", "classification_report.json", meaning="validation, by class"),
        Artifact("segmenter_test_metrics", "test_results/metrics.json", meaning="test: as metrics.json, read once"),
        Artifact("segmenter_test_classification_report", "test_results/classification_report.json", meaning="test, by class"),
        *(Artifact(f"segmenter_{name}", f"{name}.png", meaning="training curves") for name in CURVE_FIGURES),
        *(Artifact(f"segmenter_{name}", f"{name}.png", meaning="validation") for name in PART_FIGURES),
        *(Artifact(f"segmenter_test_{name}", f"test_results/{name}.png", meaning="test") for name in PART_FIGURES),
        *logs,
        *gate,
    )  # fmt: skip


def _external(config: Config, data: Path | None) -> Iterable[Path]:
    return [] if config.initial_weights is None else files_of_start(config.initial_weights)


def run(context: Context) -> None:
    """Train on train, choose on validation, read test once."""
    from pipeline.data.class_index import class_index_of
    from pipeline.data.scan_index import TEXT_COLUMNS
    from pipeline.training.determinism import make_deterministic
    from pipeline.training.segmenter.findings import course_warning, fall_warning, kept_epoch, kept_words
    from pipeline.training.segmenter.outputs import epoch_frame, predictions_frame, training_figures

    config: Config = context.config
    make_deterministic(context.seed)
    dataset = context.load_json("dataset")
    frame = context.load_csv("scan_index", text=TEXT_COLUMNS)
    index = class_index_of(frame, dataset["profiles"][config.profile]["modality"], config.classes)
    if config.gate is not None:
        _save_gate(context, frame, dataset["profiles"][config.gate.profile])
    scans = _scans(context, index)
    network, history, parameters = _train(context, scans, index)
    monitor = config.fit.monitored(scans.validation_has_masks)
    kept = kept_epoch(history, monitor)
    context.log(kept_words(kept))
    parts = [_judge(context, network, name, index, scans) for name in ("valid", "test")]
    judged = [_save_part(context, part, prefix) for part, prefix in zip(parts, ("segmenter_", "segmenter_test_"), strict=True)]
    for warning in filter(None, (course_warning(history, monitor), fall_warning(*judged))):
        context.warn(warning)
    context.save_csv("segmenter_predictions", predictions_frame(parts))
    context.save_csv("segmenter_metrics_epochwise", epoch_frame(history.epochs))
    for name, figure in training_figures(history.epochs, history.best_epoch).items():
        context.save_figure(f"segmenter_{name}", figure)
    context.save_json("segmenter", {
        "class_names": list(index.class_names), "image_size": scans.image_size, "profile": dataset["profiles"][config.profile],
        "threshold": THRESHOLD, "lung_pieces": config.lung_pieces, "mirror_average": config.mirror_average,
        "positive_class": config.positive_class, "kept_epoch": kept,
    })  # fmt: skip
    context.save_json("segmenter_training_summary", _summary(config, index, history, parameters, monitor))


def _save_gate(context: Context, frame: pd.DataFrame, profile: dict[str, Any]) -> None:
    import numpy as np

    from pipeline.training.network_artifacts import save_network
    from pipeline.training.segmenter.gate_of_run import train_gate

    mine = frame[frame["modality"] == profile["modality"]].sort_values("row")
    network, statistics, document = train_gate(
        context.input(f"pixels_{context.config.gate.profile}"), mine, profile["size"],
        lambda steps, total: context.progress(steps, total, "X-ray gate"),
    )  # fmt: skip
    save_network(context, "gate_backbone", network)
    with context.output("gate_statistics").open("wb") as stream:
        np.savez(stream, **statistics.arrays())
    context.save_json("gate", {**document, "profile": profile})


def _scans(context: Context, index: ClassIndex) -> SegmentationRows:
    from pipeline.training.segmenter.rows import SegmentationRows

    profile = context.config.profile
    scans = SegmentationRows(
        context.load(f"pixels_{profile}"), context.load(f"lung_mask_{profile}"), index.rows, index.class_index, index.has_mask,
        index.positions("train"), index.positions("valid"), len(index.class_names),
    )  # fmt: skip
    without = int((~index.has_mask[scans.train]).sum())
    if without:
        context.warn(f"{without} of {len(scans.train)} training scans have no lung mask: they teach the diagnosis only.")
    return scans


def _train(context: Context, scans: SegmentationRows, index: ClassIndex) -> tuple[keras.Model, FitHistory, dict[str, int]]:
    """The network as it is stored, in float32 with rounded kernels, and how it came about."""
    import keras

    from pipeline.models.stored_precision import computing_in, round_kernels
    from pipeline.training.network_artifacts import save_network
    from pipeline.training.segmenter.fit import CHECKPOINTS, fit_segmenter
    from pipeline.training.segmenter.initial.start import start_from, starting_network

    config: Config = context.config
    given = config.initial_weights
    keras.utils.set_random_seed(context.seed)
    with computing_in(config.fit.precision):
        model = starting_network(config.architecture, given, scans.class_count, context.seed)
    start_from(model, config.architecture, given, index.class_names, scans.training_images(START_SCANS), context.warn)
    log = _tensorboard(context)

    def on_epoch(epoch: int, scores: dict[str, float]) -> None:
        said = ", ".join(f"{words} {scores[name]:.3f}" for name, words in TOLD.items())
        context.log(f"epoch {epoch + 1} ({scores['image_size']:.0f} px): {said}")
        if log is not None:
            log.write(epoch, scores)

    history = fit_segmenter(
        model, scans, config.fit, context.seed, context.scratch,
        lambda steps, total, label: context.progress(steps, total, label), on_epoch,
    )  # fmt: skip
    shutil.copytree(context.scratch / CHECKPOINTS, context.output("segmenter_checkpoints"), dirs_exist_ok=True)
    if config.tensorboard:
        shutil.copytree(context.scratch / "tensorboard", context.output("segmenter_tensorboard"), dirs_exist_ok=True)
    with computing_in("float32"):
        stored = starting_network(config.architecture, None, scans.class_count, context.seed)
    stored.set_weights(model.get_weights())
    round_kernels(stored, config.stored_precision)
    save_network(context, "unet", stored)
    trainable = sum(math.prod(variable.shape) for variable in stored.trainable_variables)
    return stored, history, {"trainable": trainable, "all": stored.count_params()}


def _tensorboard(context: Context) -> Any:
    if not context.config.tensorboard:
        return None
    from pipeline.training.segmenter.tensorboard_log import TensorBoardLog

    return TensorBoardLog(context.scratch / "tensorboard")


def _judge(context: Context, network: keras.Model, name: str, index: ClassIndex, scans: SegmentationRows) -> JudgedPart:
    from pipeline.training.segmenter.evaluation import predict_scans
    from pipeline.training.segmenter.outputs import judge_part
    from pipeline.training.segmenter.step import forward_pass

    config: Config = context.config
    forward = forward_pass(network, scans.image_size, config.mirror_average)
    answers = predict_scans(forward, scans, index.positions(name), config.fit.batch_size)
    return judge_part(name, index, scans, answers.keeping(config.lung_pieces))


def _save_part(context: Context, part: JudgedPart, prefix: str) -> dict[str, Any]:
    from pipeline.training.segmenter.outputs import classification_report, part_figures, part_metrics

    metrics = part_metrics(part, context.config.positive_class, context.seed)
    context.save_json(f"{prefix}metrics", metrics)
    context.save_json(f"{prefix}classification_report", classification_report(part))
    for name, figure in part_figures(part).items():
        context.save_figure(f"{prefix}{name}", figure)
    lungs = metrics["segmentation"].get("dice", {}).get("value")
    shown = "no masks" if lungs is None else f"Dice {lungs:.3f}"
    name = "validation" if part.name == "valid" else part.name
    context.log(f"{name}: {shown}, accuracy {metrics['classification']['accuracy']['value']:.3f}")
    return metrics


def _summary(
    config: Config, index: ClassIndex, history: FitHistory, parameters: dict[str, int], monitor: str
) -> dict[str, Any]:
    best = history.best_epoch
    return {
        "epochs": len(history.epochs["loss"]),
        "best_epoch": best + 1,
        "best": {name: values[best] for name, values in history.epochs.items()},
        "monitor": monitor,
        "parameters": parameters,
        "scans": {split: len(index.positions(split)) for split in ("train", "valid", "test")},
        "masks": {split: int(index.has_mask[index.positions(split)].sum()) for split in ("train", "valid", "test")},
        "settings": config.model_dump(mode="json"),
    }


STAGE = Stage("s07_segmenter", "the multi-head UNet: lungs outlined, diagnosis named", Config, _inputs, _outputs, run, _external)
