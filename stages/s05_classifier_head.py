"""s05: a head for each modality and one for the pair, on task and shared features side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pipeline.engine.context import Context
from pipeline.engine.contract import Artifact, Input, Stage
from pipeline.evaluation.comparison.variants import VARIANTS
from pipeline.training.multitask.stage_modalities import PROBABILITY_UNIT, OfModalities, answered_rows
from pipeline.training.settings import FitSettings

if TYPE_CHECKING:
    from pipeline.training.multitask.heads import TrainedHeads
    from pipeline.training.multitask.scan_pairs import Pairs


class Config(OfModalities):
    """How the heads are fitted. Every variant that s04 trained gets a head for each modality, and one for pairs of both."""

    fit: FitSettings = FitSettings()
    """The training of each head on task and shared features."""
    stored_precision: Literal["float16", "float32"] = "float16"
    """Kernels are rounded to it before any score is taken."""


def _inputs(config: Config) -> tuple[Input, ...]:
    shared = (Input(f"shared_features_{v}_{m}", optional=True) for v in VARIANTS for m in config.modalities)
    return (Input("scan_index"), Input("dataset"), *(Input(f"task_features_{m}") for m in config.modalities), *shared)


def _outputs(config: Config) -> tuple[Artifact, ...]:
    pairs = Artifact("pairs", "pairs.csv", meaning="rows, label and split of each pair; split 'shuffled' is the control")
    return (
        *(Artifact(f"probabilities_{name}", f"probabilities_{name}.npy", ("V", count, "K?"), "float32", PROBABILITY_UNIT,
                   "one row a variant, in the order of choice.json") for name, count in answered_rows(config).items()),
        *([pairs] if len(config.modalities) > 1 else []),
        Artifact("heads", "heads/", meaning="head_<variant>_<modality>: weights and architecture"),
        Artifact("head_predictions", "predictions.csv", meaning="one row a scan or pair and variant"),
        Artifact("head_history", "head_history.json", meaning="losses and validation scores an epoch"),
        Artifact("head_recipe", "head_recipe.json", meaning="fit settings, for s06"),
        Artifact("choice", "choice.json", meaning="the variants, and the one that validation chose"),
        Artifact("head_metrics", "metrics.json", meaning="test metrics of this one training, with patient-clustered intervals"),
    )  # fmt: skip


def run(context: Context) -> None:
    """Train the heads of every variant; validation chooses the variant, the test part is only read."""
    import numpy as np

    from pipeline.models.stored_models import save_model
    from pipeline.training.determinism import make_deterministic
    from pipeline.training.multitask.heads import train_heads
    from pipeline.training.multitask.recipes import HeadRecipe, Workshop
    from pipeline.training.multitask.scan_labels import labelled, read_indexes
    from pipeline.training.multitask.scan_pairs import run_pairs

    make_deterministic(context.seed)
    recipe = HeadRecipe(fit=context.config.fit, precision=context.config.stored_precision)
    workshop = Workshop(context.seed, recipe.precision, context.scratch)
    indexes = read_indexes(context)
    scans = {modality: labelled(index) for modality, index in indexes.items()}
    pairs = run_pairs(indexes, context.seed)
    trained: dict[str, TrainedHeads] = {}
    for variant in (v for v in VARIANTS if context.has(f"shared_features_{v}_{context.config.modalities[0]}")):
        features = {
            m: np.concatenate([context.load(f"task_features_{m}"), context.load(f"shared_features_{variant}_{m}")], axis=1)
            for m in context.config.modalities
        }
        trained[variant] = train_heads(features, scans, pairs, recipe, workshop.apart(variant))
        for name, model in trained[variant].models.items():
            place = context.output("heads") / f"head_{variant}_{name}"
            save_model(model, place.with_suffix(".weights.h5"), place.with_suffix(".json"))
    for name in answered_rows(context.config):
        context.save(f"probabilities_{name}", np.stack([heads.probabilities[name] for heads in trained.values()]))
    context.save_json("head_history", {variant: heads.histories for variant, heads in trained.items()})
    context.save_json("head_recipe", recipe.model_dump(mode="json"))
    _save_tables(context, indexes, pairs, trained)


def _save_tables(context: Context, indexes: dict, pairs: Pairs | None, trained: dict[str, TrainedHeads]) -> None:
    from pipeline.evaluation.comparison.words import choice_words
    from pipeline.evaluation.statistics.intervals import metric_intervals
    from pipeline.training.multitask.reports.prediction_frame import pair_frame, prediction_frame, split_tables
    from pipeline.training.multitask.reports.variant_choice import choose_variant

    probabilities = {variant: heads.probabilities for variant, heads in trained.items()}
    if pairs is not None:
        context.save_csv("pairs", pair_frame(indexes, pairs))
    context.save_csv("head_predictions", prediction_frame(indexes, pairs, probabilities))
    choice = choose_variant(split_tables(indexes, pairs, probabilities, "valid"))
    context.save_json("choice", choice)
    context.log(choice_words(choice["variants"], choice["chosen"]))
    context.save_json("head_metrics", {
        variant: {
            name: metric_intervals(rows.by_cluster_number(), seed=context.seed)
            for name, rows in tables.items()
        }
        for variant, tables in split_tables(indexes, pairs, probabilities, "test").items()
    })  # fmt: skip


STAGE = Stage("s05_classifier_head", "classifier heads: X-ray, CT, and the pair", Config, _inputs, _outputs, run)
