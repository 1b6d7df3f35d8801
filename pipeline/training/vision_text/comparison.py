"""Vision and text compared: the artifacts that it reads and makes, importable without TensorFlow, and the work itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.engine.contract import Artifact, Input, model_artifacts
from pipeline.models.fusion_names import COMPARED, CONTROLS, LATE_AVERAGE
from pipeline.training.vision_text.settings import FusionSettings

if TYPE_CHECKING:
    from pipeline.engine.context import Context

FIGURES = ("roc", "confusion", "metrics", "calibration", "training_noise")
NAME = "vision_text"


def fusion_arms(settings: FusionSettings) -> tuple[str, ...]:
    """The arms that are trained, in the order in which they are reported."""
    return (*CONTROLS, *(arm for arm in COMPARED if arm in settings.fusions))


def fusion_inputs(settings: FusionSettings) -> tuple[Input, ...]:
    """What a vision-and-text stage reads of s01."""
    return (Input("scan_index"), Input("dataset"), Input("scan_attributes"), Input(f"pixels_{settings.profile}"))


def fusion_outputs(settings: FusionSettings) -> tuple[Artifact, ...]:
    """What a vision-and-text stage makes."""
    arms = len(fusion_arms(settings)) + 1
    unit = "probability of the positive class"
    return (
        Artifact("fold_probabilities", "fold_probabilities.npy", (arms, settings.repeats, "N"), "float32", unit,
                 "arms as in fusion_recipe.json, repeats, compared rows; each by trainings that did not see its patient"),
        Artifact("folds", "folds.npy", (settings.repeats, "N"), "int64", "fold number", "the fold that tests each compared row"),
        Artifact("out_of_fold", "out_of_fold.csv", meaning="one row a compared scan and arm"),
        Artifact("masked_notes", "masked_notes.csv", meaning="what was masked in each note, how much of it was read, warnings"),
        Artifact("comparison", "comparison.json", meaning="metrics, intervals, planned tests: the document of compare --json"),
        Artifact("note_audit", "note_audit.json", meaning="what the notes give away: length, presence, words left over"),
        Artifact("withheld", "withheld.json", meaning="AUC of every arm where the note or the image is withheld"),
        Artifact("report", "report.md", meaning="tables and sentences for people"),
        Artifact("fusion_recipe", "fusion_recipe.json", meaning="what a bundle needs to know: arm, encoder, profile, figures"),
        Artifact("split_predictions", "split_predictions.csv", meaning="the stored network's answers on s01's split"),
        Artifact("tokenizer", "tokenizer.json", meaning="the notes' tokenizer"),
        *model_artifacts("patch_backbone", "frozen image backbone, its last map as patches"),
        *model_artifacts("text_encoder", "text encoder, its kernels as they are stored"),
        *model_artifacts("fusion", "the arm that s01's validation part chose"),
        *(Artifact(f"figure_{name}", f"{name}.png", meaning="figure of the comparison") for name in FIGURES),
    )  # fmt: skip


def run_fusion(context: Context, settings: FusionSettings) -> None:
    """Read and mask the notes, train every arm on the same folds, compare, audit, and store the arm that validation
    chose. Raises DataError where notes or classes do not suffice, ConfigError where the encoder cannot be had."""
    import numpy as np

    from pipeline.training.determinism import make_deterministic
    from pipeline.training.vision_text.audit import audit_notes
    from pipeline.training.vision_text.features import compute_features
    from pipeline.training.vision_text.folds import fold_metrics, plan_folds, train_folds, with_late_average
    from pipeline.training.vision_text.report import report_comparison
    from pipeline.training.vision_text.rows import read_noted_scans
    from pipeline.training.vision_text.stored import train_stored

    make_deterministic(context.seed)
    scans = read_noted_scans(context, settings)
    features = compute_features(context, settings, scans)
    compared = scans.compared
    labels, patients = scans.index.labels[compared], scans.index.patients[compared]
    plan = plan_folds(labels, patients, settings.folds, settings.repeats, context.seed)
    trainers = features.trainers(settings, fusion_arms(settings), compared)
    audit = audit_notes(context, settings, scans, features, plan)  # before an encoder is fine-tuned
    retune = features.retuning(settings, compared, scans.texts)
    answers = train_folds(context, plan, trainers, retune)
    probabilities = with_late_average(answers.probabilities)
    context.save("fold_probabilities", np.stack(list(probabilities.values())))
    context.save("folds", plan.folds)
    stored = train_stored(context, settings, scans, features, retune)
    resplits = fold_metrics(plan, probabilities, NAME)
    report_comparison(context, settings, scans, plan, answers, probabilities, resplits, audit, stored)


__all__ = ["FIGURES", "LATE_AVERAGE", "NAME", "fusion_arms", "fusion_inputs", "fusion_outputs", "run_fusion"]
