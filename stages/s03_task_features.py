"""s03: one extractor a modality learns its own task; its features are what enters the last Dense."""

from __future__ import annotations

from typing import Literal

from pipeline.engine.context import Context
from pipeline.engine.contract import Artifact, Input, Stage, model_artifacts
from pipeline.training.multitask.stage_modalities import OfModalities
from pipeline.training.network_artifacts import save_network
from pipeline.training.settings import FitSettings


class Config(OfModalities):
    """How the task extractors are fitted."""

    fit: FitSettings = FitSettings()
    """The training of each modality's extractor on its task embeddings."""
    stored_precision: Literal["float16", "float32"] = "float16"
    """Kernels are rounded to it before anything is computed from them."""


def _inputs(config: Config) -> tuple[Input, ...]:
    return (Input("scan_index"), Input("dataset"), *(Input(f"embedding_{m}_task") for m in config.modalities))


def _outputs(config: Config) -> tuple[Artifact, ...]:
    outputs: list[Artifact] = []
    for modality in config.modalities:
        outputs += [
            Artifact(f"task_features_{modality}", f"task_features_{modality}.npy", (f"N_{modality}", 640), "float32",
                     "activation", f"what enters the last Dense of the {modality} task extractor"),
            *model_artifacts(f"task_extractor_{modality}", f"{modality} task extractor on embeddings"),
        ]  # fmt: skip
    return (
        *outputs,
        Artifact("task_recipe", "task_recipe.json", meaning="fit settings, for s06"),
        Artifact("task_history", "task_history.json", meaning="losses and validation scores an epoch"),
    )


def run(context: Context) -> None:
    """Train the extractors on the training rows and keep the features of every row."""
    from pipeline.training.determinism import make_deterministic
    from pipeline.training.multitask.recipes import TaskRecipe, Workshop, features_from, train_task_extractor
    from pipeline.training.multitask.scan_labels import read_scan_labels

    make_deterministic(context.seed)
    recipe = TaskRecipe(fit=context.config.fit, precision=context.config.stored_precision)
    workshop = Workshop(context.seed, recipe.precision, context.scratch)
    histories = {}
    for modality, scans in read_scan_labels(context).items():
        embedding = context.load(f"embedding_{modality}_task")
        model, histories[modality] = train_task_extractor(modality, embedding, scans, recipe, workshop)
        context.save(f"task_features_{modality}", features_from(model, embedding))
        save_network(context, f"task_extractor_{modality}", model)
        context.log(f"task extractor {modality}: best validation AUC {max(histories[modality]['val_auc']):.3f}")
    context.save_json("task_history", histories)
    context.save_json("task_recipe", recipe.model_dump(mode="json"))


STAGE = Stage("s03_task_features", "a task-specific feature extractor for each modality", Config, _inputs, _outputs, run)
