"""Erase from features what linearly tells the modality, in closed form: LEACE (Belrose et al. 2023, arXiv 2306.03819)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.errors import DataError
from pipeline.training.multitask.adversarial.balanced_batches import UNKNOWN, cells_of
from pipeline.training.multitask.adversarial.modality_probes import even_weights

Numbers = NDArray[np.float64]


class Erasure(NamedTuple):
    """``erased = features @ matrix + offset``; matrix ``(K, K)``, offset ``(K,)``, float64. rank: directions of the features
    that vary at all; where it is less than K, the others are left as they are."""

    matrix: Numbers
    offset: Numbers
    rank: int

    def apply(self, features: np.ndarray) -> Numbers:
        """Erased features ``(n, K)``."""
        return np.asarray(features, np.float64) @ self.matrix + self.offset


def modality_erasure(features: np.ndarray, modality: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> Erasure:
    """The least change (in the features' own metric) after which no affine function of them tells the modality, whatever
    the label: within every label both modalities have one mean (LEACE, theorem 4.3, of modality given label).

    features ``(N, K)``, modality ``(N,)`` (X-ray 1, CT 0), labels ``(N,)``, -1 where not known; fitted on ``rows``, every cell
    of modality × label weighing alike. At other rows the means agree but for chance. Where no label is known in both
    modalities, nothing can be conditioned on: the two means over all labels become one, and with them goes what of the label
    lies in the same direction, should its shares differ. Raises DataError where a modality has no rows, or the label tells the
    modality.
    """
    cells_of(modality, labels, rows)
    values = np.asarray(features[rows], np.float64)
    if not np.isfinite(values).all():
        raise DataError("The features hold NaN or infinity.", "Retrain the extractor.")
    sides = modality[rows].astype(np.intp)
    groups, in_both = _conditions(sides, labels[rows])
    weights = even_weights(2 * groups + sides) / len(rows)
    centre = weights @ values
    told = np.stack([np.where(groups == group, sides - 0.5, 0.0) for group in range(max(1, in_both))], axis=1)
    centred = (values - centre) * np.sqrt(weights)[:, None]
    shared = centred.T @ ((told - weights @ told) * np.sqrt(weights)[:, None])
    whitening, colouring, rank = _whitening(centred.T @ centred)
    directions = _basis(whitening @ shared)
    removed = colouring @ directions @ directions.T @ whitening
    matrix = (np.eye(len(removed)) - removed).T
    return Erasure(matrix, removed @ centre, rank)


def _conditions(sides: np.ndarray, labels: np.ndarray) -> tuple[NDArray[np.intp], int]:
    """Group of each row ``(n,)``: the place of its label among those known in both modalities, or, for all other rows, their
    number, which comes second."""
    in_both = [label for label in np.unique(labels) if label != UNKNOWN and len(np.unique(sides[labels == label])) == 2]
    groups = np.full(len(labels), len(in_both), np.intp)
    for place, label in enumerate(in_both):
        groups[labels == label] = place
    return groups, len(in_both)


def _whitening(covariance: Numbers) -> tuple[Numbers, Numbers, int]:
    """Inverse square root of a covariance on its support, the square root, and the dimension of the support."""
    values, vectors = np.linalg.eigh(covariance)
    support = values > values.max() * len(values) * np.finfo(np.float64).eps
    values, vectors = values[support], vectors[:, support]
    return (vectors / np.sqrt(values)) @ vectors.T, (vectors * np.sqrt(values)) @ vectors.T, int(support.sum())


def _basis(columns: Numbers) -> Numbers:
    """Orthonormal basis of what the columns span: ``(K, r)``."""
    vectors, strengths, _ = np.linalg.svd(columns, full_matrices=False)
    return vectors[:, strengths > max(strengths.max(initial=0.0), 1e-300) * 1e-10]
