"""The X-ray gate of a run: fitted on all its training scans, whatever their class, its threshold on validation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from pipeline.data.gate.distance_fit import fit_gate
from pipeline.data.gate.embedding_distance import GateStatistics
from pipeline.models.backbones.gate_backbone import VARIANT, build_gate_backbone
from pipeline.training.segmenter.gate_statistics import gate_features

if TYPE_CHECKING:
    import pandas as pd


def train_gate(
    pixels: Path, frame: pd.DataFrame, image_size: int, track: Callable[[Iterable, int], Iterable]
) -> tuple[keras.Model, GateStatistics, dict[str, Any]]:
    """Frozen network, statistics, and what ``gate.json`` says of them.

    Args:
        pixels: s01's array of the gate's profile, uint8 ``(N, S, S)``.
        frame: scan_index.csv of the profile's modality, in the array's row order.
    """
    network = build_gate_backbone(image_size)
    features = gate_features(network, pixels, track)
    splits = frame["split"].to_numpy(str)
    statistics = fit_gate(features[splits == "train"], features[splits == "valid"])
    accepted = statistics.distance(features) <= statistics.threshold
    document = {
        "backbone": VARIANT,
        "threshold": statistics.threshold,
        "accepted_on_validation": statistics.accepted_on_validation,
        "accepted_on_test": _shares(accepted, frame, splits == "test"),
        "method": statistics.method,
    }
    return network, statistics, document


def _shares(accepted: np.ndarray, frame: pd.DataFrame, chosen: np.ndarray) -> dict[str, dict[str, float]]:
    labels = frame["label"].to_numpy(str)
    return {
        label: {"scans": int((chosen & (labels == label)).sum()), "share": float(accepted[chosen & (labels == label)].mean())}
        for label in sorted(set(labels[chosen]))
    }
