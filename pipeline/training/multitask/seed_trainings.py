"""The same split, many seeds: what changes is the training's own noise."""

from __future__ import annotations

import numpy as np

from pipeline.engine.context import Context
from pipeline.training.multitask.chain_inputs import ChainInputs
from pipeline.training.multitask.chain_training import train_chain_once
from pipeline.training.multitask.scan_labels import labelled
from pipeline.training.trained_network import Workshop


def train_seeds(chain: ChainInputs, context: Context) -> dict[str, dict[str, np.ndarray]]:
    """``{variant: {modality: (S, N)}}`` over paired seeds: both variants of a seed share embedders and extractors."""
    scans = {modality: labelled(index) for modality, index in chain.indexes.items()}
    workshop = Workshop(context.seed, chain.recipe.embedder.precision, context.scratch / "seeds")
    count = context.config.seeds
    runs = [
        train_chain_once(f"seed_{number:02d}", chain.features, scans, chain.pairs, chain.recipe, workshop)
        for number in context.progress(range(count), count, "seeds")
    ]
    return {
        variant: {name: np.stack([run[variant][name] for run in runs]) for name in runs[0][variant]}
        for variant in chain.recipe.variants
    }
