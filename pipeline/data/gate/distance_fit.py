"""Features of scans as a Gaussian, and the distance up to which a picture counts as one of them: NumPy alone."""

from __future__ import annotations

import numpy as np

from pipeline.data.gate.embedding_distance import GateStatistics
from pipeline.engine.errors import DataError

SHRINKAGE = 0.1
DEVIATIONS = 4.5
FEWEST_SCANS = 8
# Of training and validation together, where one of the two has too few.
FEWEST_TOGETHER = 6


def fit_gate(
    train_features: np.ndarray, valid_features: np.ndarray, shrinkage: float = SHRINKAGE, deviations: float = DEVIATIONS,
    stored: type[np.floating] = np.float32,
) -> GateStatistics:  # fmt: skip
    """Describe the training scans, and set the threshold on the validation scans alone.

    The features (N, F) are standardised; their correlation matrix is shrunk towards a multiple of the identity by
    ``shrinkage`` in (0, 1] (Ledoit & Wolf 2004), so that it can be inverted with fewer scans than features. The
    distance is Mahalanobis' (Lee et al. 2018 use it so on a network's layers). Distances of scans are close to
    log-normal: the threshold lies ``deviations`` standard deviations above the mean of the validation scans' logarithm.
    A quantile would need thousands of them. ``stored``: the precision that the whitening is rounded to before.

    Raises:
        DataError: fewer than 8 scans on a side, features that are not finite or of two widths, or validation scans
            that are all alike.
    """
    train, valid = (np.asarray(features, np.float64) for features in (train_features, valid_features))
    _check(train, valid)
    unjudged = _gaussian(train, shrinkage, stored)
    distances = unjudged.distance(valid)
    method = _method(shrinkage, len(train), deviations, f"{len(valid)} validation scans")
    return _judging(unjudged, distances, deviations, method)


def fit_near(train: np.ndarray, valid: np.ndarray, stored: type[np.floating] = np.float32) -> GateStatistics:
    """`fit_gate`; of few scans, both parts together, the threshold from each one's distance to the others.

    Raises DataError as `fit_gate`, and with fewer than 6 scans in all.
    """
    if min(len(train), len(valid)) >= FEWEST_SCANS:
        return fit_gate(train, valid, stored=stored)
    both = np.concatenate([train, valid]).astype(np.float64)
    if len(both) < FEWEST_TOGETHER:
        raise DataError(f"The gate has {len(both)} scans, at least {FEWEST_TOGETHER} are needed.", "Give more scans.")
    others = [_gaussian(np.delete(both, row, 0), SHRINKAGE, stored) for row in range(len(both))]
    left_out = [of_others.distance(both[row : row + 1])[0] for row, of_others in enumerate(others)]
    method = _method(SHRINKAGE, len(both), DEVIATIONS, "each of them to the others")
    return _judging(_gaussian(both, SHRINKAGE, stored), np.array(left_out), DEVIATIONS, method)


def _gaussian(train: np.ndarray, shrinkage: float, stored: type[np.floating]) -> GateStatistics:
    mean, spread = train.mean(0), train.std(0)
    # A feature that is constant in training (a dead channel) says "foreign" as soon as it moves, yet must not divide by 0.
    spread = np.maximum(spread, 1e-3 * max(float(np.median(spread)), 1e-6))
    standard = (train - mean) / spread
    covariance = standard.T @ standard / len(standard)
    level = np.trace(covariance) / len(covariance)
    covariance = (1 - shrinkage) * covariance + shrinkage * level * np.eye(len(covariance))
    whitening = np.linalg.cholesky(np.linalg.inv(covariance)) / spread[:, None]
    return GateStatistics(mean.astype(np.float32), whitening.astype(stored).astype(np.float32), np.inf, 1.0, "")


def _judging(unjudged: GateStatistics, distances: np.ndarray, deviations: float, method: str) -> GateStatistics:
    threshold = _threshold(distances, deviations)
    accepted = float(np.mean(distances <= threshold))
    return GateStatistics(unjudged.mean, unjudged.whitening, threshold, accepted, method)


def _method(shrinkage: float, trained: int, deviations: float, judged: str) -> str:
    return (
        f"Mahalanobis distance, shrinkage {shrinkage:g}, {trained} training scans; threshold: mean + {deviations:g} "
        f"standard deviations of the log distance of {judged}"
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
