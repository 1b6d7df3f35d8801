"""The same split, many seeds: what changes is the training's own noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.engine.context import Context
from pipeline.training.multitask.adversarial.probed_features import ModalityReadings
from pipeline.training.multitask.chain_inputs import ChainInputs
from pipeline.training.multitask.chain_training import train_chain_once
from pipeline.training.multitask.scan_labels import labelled
from pipeline.training.trained_network import Workshop


@dataclass(frozen=True)
class SeedTrainings:
    """``probabilities[variant][modality]`` ``(S, N)``, or ``(S, N, K)``; ``alignment[variant][reading]``: scores of fresh probes,
    over seeds, and ``extractors[variant][modality]``: what the shared extractors themselves say; none of one modality."""

    probabilities: dict[str, dict[str, np.ndarray]]
    alignment: dict[str, dict[str, dict]]
    extractors: dict[str, dict[str, np.ndarray]]


def train_seeds(chain: ChainInputs, context: Context) -> SeedTrainings:
    """Trainings over paired seeds: all variants of a seed share embedders and task extractors."""
    scans = {modality: labelled(index) for modality, index in chain.indexes.items()}
    workshop = Workshop(context.seed, chain.recipe.embedder.precision, context.scratch / "seeds")
    count = context.config.seeds
    readings = ModalityReadings(chain.indexes, context.seed) if len(chain.indexes) > 1 else None
    runs = [
        train_chain_once(f"seed_{number:02d}", chain.features, scans, chain.pairs, chain.recipe, workshop, readings)
        for number in context.progress(range(count), count, "seeds")
    ]
    return SeedTrainings(
        _stacked([run.probabilities for run in runs]),
        {} if readings is None else {v: readings.scores([run.told[v] for run in runs]) for v in chain.recipe.variants},
        _stacked([run.extractors for run in runs]),
    )


def _stacked(runs: Sequence[Mapping[str, Mapping[str, np.ndarray]]]) -> dict[str, dict[str, np.ndarray]]:
    return {v: {name: np.stack([run[v][name] for run in runs]) for name in by_name} for v, by_name in runs[0].items()}
