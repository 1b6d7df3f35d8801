"""Fits the X-ray gate: frozen features of the training scans as a Gaussian, a threshold from the validation scans."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import keras
import numpy as np

from pipeline.data.gate.embedding_distance import GateStatistics
from pipeline.engine.errors import DataError
from pipeline.training.frozen_features import BATCH, compiled_forward, frozen_features, scaled

SHRINKAGE = 0.1
DEVIATIONS = 4.5
FEWEST_SCANS = 8


def _untracked(steps: Iterable, total: int) -> Iterable:
    return steps


def gate_features(
    backbone: keras.Model, pixels: Path | np.ndarray, track: Callable[[Iterable, int], Iterable] = _untracked
) -> np.ndarray:
    """Features (N, F) float32 of preprocessed scans, uint8 (N, S, S), in memory or in a ``.npy`` file.

    backbone: of ``build_gate_backbone``.
    """
    if isinstance(pixels, Path):
        blocks = list(frozen_features(backbone, pixels, track))
    else:
        forward = compiled_forward(backbone)
        starts = range(0, len(pixels), BATCH)
        blocks = [forward(scaled(pixels[start : start + BATCH])).numpy() for start in track(starts, len(starts))]
    return np.concatenate(blocks) if blocks else np.empty((0, backbone.output_shape[-1]), np.float32)


def fit_gate(
    train_features: np.ndarray, valid_features: np.ndarray, shrinkage: float = SHRINKAGE, deviations: float = DEVIATIONS
) -> GateStatistics:
    """Describe the training scans, and set the threshold on the validation scans alone.

    The features (N, F) are standardised; their correlation matrix is shrunk towards a multiple of the identity by
    ``shrinkage`` in (0, 1] (Ledoit & Wolf 2004), so that it can be inverted with fewer scans than features. The
    distance is Mahalanobis' (Lee et al. 2018 use it so on a network's layers). Distances of scans are close to
    log-normal: the threshold lies ``deviations`` standard deviations above the mean of the validation scans' logarithm.
    A quantile would need thousands of them.

    Raises:
        DataError: fewer than 8 scans on a side, features that are not finite or of two widths, or validation scans
            that are all alike.
    """
    train, valid = (np.asarray(features, np.float64) for features in (train_features, valid_features))
    _check(train, valid)
    mean, spread = train.mean(0), train.std(0)
    # A feature that is constant in training (a dead channel) says "foreign" as soon as it moves, yet must not divide by 0.
    spread = np.maximum(spread, 1e-3 * max(float(np.median(spread)), 1e-6))
    standard = (train - mean) / spread
    covariance = standard.T @ standard / len(standard)
    level = np.trace(covariance) / len(covariance)
    covariance = (1 - shrinkage) * covariance + shrinkage * level * np.eye(len(covariance))
    whitening = np.linalg.cholesky(np.linalg.inv(covariance)) / spread[:, None]
    method = (
        f"Mahalanobis distance, shrinkage {shrinkage:g}, {len(train)} training scans; threshold: mean + {deviations:g} "
        f"standard deviations of the log distance of {len(valid)} validation scans"
    )
    unjudged = GateStatistics(mean.astype(np.float32), whitening.astype(np.float32), np.inf, 1.0, method)
    distances = unjudged.distance(valid)
    threshold = _threshold(distances, deviations)
    return GateStatistics(
        unjudged.mean, unjudged.whitening, threshold, float(np.mean(distances <= threshold)), method
    )


def _threshold(distances: np.ndarray, deviations: float) -> float:
    logarithms = np.log(np.maximum(distances, 1e-12))
    spread = float(logarithms.std(ddof=1))
    if spread < 1e-6:
        raise DataError("The validation scans are all alike: no threshold can be set on them.", "Give more of them.")
    return float(np.exp(logarithms.mean() + deviations * spread))


def _check(train: np.ndarray, valid: np.ndarray) -> None:
    for name, features in (("training", train), ("validation", valid)):
        if features.ndim != 2 or len(features) < FEWEST_SCANS:
            raise DataError(
                f"The X-ray gate has {len(features)} {name} scans, at least {FEWEST_SCANS} are needed.", "Give more scans."
            )
        if not np.isfinite(features).all():
            raise DataError(f"Features of {name} scans are not finite.", "Check the backbone's weights.")
    if train.shape[1] != valid.shape[1]:
        raise DataError(
            f"Training features have {train.shape[1]} columns, validation features {valid.shape[1]}.",
            "Take both from one backbone.",
        )
