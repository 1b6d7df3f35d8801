"""The classifier heads of one variant: X-ray, CT, and the pair of both, as far as the run has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import keras
import numpy as np

from pipeline.training.multitask.recipes import HeadRecipe, Labelled, probabilities_from, train_head
from pipeline.training.multitask.scan_pairs import Pairs
from pipeline.training.trained_network import Workshop


@dataclass
class TrainedHeads:
    models: dict[str, keras.Model] = field(default_factory=dict)
    histories: dict[str, dict] = field(default_factory=dict)
    probabilities: dict[str, np.ndarray] = field(default_factory=dict)


def pair_features(features: Mapping[str, np.ndarray], rows: np.ndarray) -> np.ndarray:
    """``(P, 2F)``: the X-ray's features beside the CT slice's."""
    return np.concatenate([features["xray"][rows[:, 0]], features["ct"][rows[:, 1]]], axis=1)


def _labelled_pairs(pairs: Pairs, classes: int) -> Labelled:
    return Labelled(pairs.labels, *(np.flatnonzero(pairs.split == part) for part in ("train", "valid")), classes)


def train_heads(
    features: Mapping[str, np.ndarray], scans: Mapping[str, Labelled], pairs: Pairs | None, recipe: HeadRecipe,
    workshop: Workshop,
) -> TrainedHeads:  # fmt: skip
    """Train the heads on ``features[modality]`` ``(N, 1280)`` and read every row's probabilities."""
    trained = TrainedHeads()
    inputs, labelled = dict(features), dict(scans)
    if pairs is not None:
        inputs["paired"] = pair_features(features, pairs.rows)
        labelled["paired"] = _labelled_pairs(pairs, scans["xray"].classes)
    for name, rows in inputs.items():
        model, trained.histories[name] = train_head(f"head_{name}", rows, labelled[name], recipe, workshop)
        trained.models[name] = model
        trained.probabilities[name] = probabilities_from(model, rows)
    return trained
