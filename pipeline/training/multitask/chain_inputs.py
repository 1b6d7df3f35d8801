"""What a retraining of the whole chain starts from, read from a run's artifacts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.data.scan_index import ModalityIndex
from pipeline.engine.context import Context
from pipeline.training.multitask.chain_training import ChainRecipe
from pipeline.training.multitask.recipes import EmbedderRecipe, HeadRecipe, SharedRecipe, Tail, TaskRecipe
from pipeline.training.multitask.scan_labels import read_indexes
from pipeline.training.multitask.scan_pairs import Pairs, run_pairs
from pipeline.training.network_artifacts import load_network
from pipeline.training.settings import TailTuning


@dataclass(frozen=True)
class ChainInputs:
    """Frozen features ``{(modality, role): (N, F)}``, the scans they belong to, pairs where there are two modalities, and the
    recipes."""

    features: Mapping[tuple[str, str], np.ndarray]
    indexes: Mapping[str, ModalityIndex]
    pairs: Pairs | None
    recipe: ChainRecipe

    def labels(self) -> dict[str, np.ndarray]:
        return {modality: index.labels for modality, index in self.indexes.items()}


def read_chain(context: Context) -> ChainInputs:
    """Read features, index and recipes; pairs are drawn anew from the stage's own seed."""
    shared, embedder = context.load_json("shared_recipe"), context.load_json("embedder_recipe")
    features = {(m, r): context.load(f"backbone_features_{m}_{r}") for m in context.config.modalities for r in ("task", "shared")}
    recipe = ChainRecipe(
        EmbedderRecipe.model_validate(embedder["recipe"]),
        TaskRecipe.model_validate(context.load_json("task_recipe")),
        SharedRecipe.model_validate(shared["recipe"]),
        HeadRecipe.model_validate(context.load_json("head_recipe")),
        tuple(shared["variants"]),
        _tails(context, embedder["embedders"], features),
    )
    indexes = read_indexes(context)
    return ChainInputs(features, indexes, run_pairs(indexes, context.seed), recipe)


def _tails(
    context: Context, embedders: Mapping[str, dict], features: Mapping[tuple[str, str], np.ndarray]
) -> dict[tuple[str, str], Tail]:
    return {
        (modality, role): Tail(
            load_network(context, f"tail_{modality}_{role}"), TailTuning.model_validate(embedder["fine_tune"]).fit, given
        )
        for (modality, role), given in features.items()
        if (embedder := embedders[f"{modality}_{role}"]).get("fine_tune") is not None
    }
