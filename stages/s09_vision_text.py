"""s09: vision and text: image, note and their fusions trained on the same folds, compared, and the chosen one stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.engine.config import StageConfig
from pipeline.engine.context import Context
from pipeline.engine.contract import Artifact, Input, Stage, model_artifacts
from pipeline.engine.errors import ConfigError, did_you_mean
from pipeline.models.backbones.names import require_backbone
from pipeline.training.vision_text.settings import FusionSettings

FIGURES = ("roc", "confusion", "metrics", "calibration", "training_noise")


class Config(FusionSettings):
    """Vision and text on the same rows of one profile."""

    def check_with(self, others: Mapping[str, StageConfig]) -> None:
        profiles = getattr(others.get("s01"), "profiles", None)
        if profiles is not None and self.profile not in profiles:
            raise ConfigError(f"s09.profile: s01 has no profile {self.profile!r}.{did_you_mean(self.profile, profiles)}",
                              f"Its profiles: {', '.join(profiles)}.")  # fmt: skip
        require_backbone(self.backbone, self.weights, profiles[self.profile].size if profiles else None, "s09.backbone: ")


def _inputs(config: Config) -> tuple[Input, ...]:
    return (Input("scan_index"), Input("dataset"), Input("scan_attributes"), Input(f"pixels_{config.profile}"))


def _outputs(config: Config) -> tuple[Artifact, ...]:
    arms = len(config.arms()) + 1
    unit = "probability of the positive class"
    tuned = config.encoder.finetune_layers
    published = model_artifacts("published_encoder", "text encoder before it was fine-tuned") if tuned else ()
    return (
        Artifact("fusion_fold_probabilities", "fold_probabilities.npy", (arms, config.repeats, "N"), "float32", unit,
                 "arms as in fusion_recipe.json, repeats, compared rows; each by trainings that did not see its patient"),
        Artifact("fusion_folds", "folds.npy", (config.repeats, "N"), "int64", "fold number",
                 "the fold that tests each compared row"),
        Artifact("fusion_out_of_fold", "out_of_fold.csv", meaning="one row a compared scan and arm"),
        Artifact("masked_notes", "masked_notes.csv", meaning="what was masked in each note, how much of it was read, warnings"),
        Artifact("fusion_comparison", "comparison.json",
                 meaning="metrics, intervals, planned tests: the document of compare --json"),
        Artifact("fusion_withheld", "withheld.json", meaning="AUC of every arm where the note or the image is withheld"),
        Artifact("fusion_report", "report.md", meaning="tables and sentences for people"),
        Artifact("fusion_recipe", "fusion_recipe.json", meaning="what a bundle needs to know: arm, encoder, profile, figures"),
        Artifact("fusion_split_predictions", "split_predictions.csv", meaning="the stored network's answers on s01's split"),
        Artifact("tokenizer", "tokenizer.json", meaning="the notes' tokenizer"),
        *model_artifacts("patch_backbone", "frozen image backbone, its last map as patches"),
        *model_artifacts("text_encoder", "text encoder, its kernels as they are stored"),
        *published,
        *model_artifacts("fusion", "the arm that s01's validation part chose"),
        *(Artifact(f"fusion_figure_{name}", f"{name}.png", meaning="figure of the comparison") for name in FIGURES),
    )  # fmt: skip


def _external(config: Config, data: Path | None) -> Iterable[Path]:
    return [Path(name) for name in config.weight_files()]


def run(context: Context) -> None:
    """Read and mask the notes, train every arm on the same folds, compare, and store the arm that validation chose.

    Raises DataError where notes or classes do not suffice, ConfigError where the encoder cannot be had.
    """
    import numpy as np

    from pipeline.training.determinism import make_deterministic
    from pipeline.training.vision_text.features import compute_features
    from pipeline.training.vision_text.folds import fold_metrics, plan_folds, train_folds, with_late_average
    from pipeline.training.vision_text.report import report_comparison
    from pipeline.training.vision_text.rows import read_noted_scans
    from pipeline.training.vision_text.stored import train_stored

    settings: Config = context.config
    make_deterministic(context.seed)
    scans = read_noted_scans(context, settings)
    features = compute_features(context, settings, scans)
    compared = scans.compared
    labels, patients = scans.index.labels[compared], scans.index.patients[compared]
    plan = plan_folds(labels, patients, settings.folds, settings.repeats, context.seed)
    trainers = features.trainers(settings, settings.arms(), compared)
    retune = features.retuning(settings, compared, scans.texts)
    answers = train_folds(context, plan, trainers, retune)
    probabilities = with_late_average(answers.probabilities)
    context.save("fusion_fold_probabilities", np.stack(list(probabilities.values())))
    context.save("fusion_folds", plan.folds)
    stored = train_stored(context, settings, scans, features, retune)
    report_comparison(context, settings, scans, plan, answers, probabilities, fold_metrics(plan, probabilities), stored)


STAGE = Stage("s09_vision_text", "vision and text: image, note and their fusions on the same folds", Config, _inputs, _outputs,
              run, _external)  # fmt: skip
