"""Erase from features what linearly tells the modality, in closed form: LEACE (Belrose et al. 2023, arXiv 2306.03819)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.errors import DataError
from pipeline.training.multitask.adversarial.balanced_batches import cells_of
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

    features ``(N, K)``, modality ``(N,)`` (X-ray 1, CT 0), labels ``(N,)``; fitted on ``rows``, every cell of modality × label
    weighing alike. At other rows the means agree but for chance. Raises DataError where a modality has no rows, or the label
    tells the modality.
    """
    cells_of(modality, labels, rows)
    values = np.asarray(features[rows], np.float64)
    if not np.isfinite(values).all():
        raise DataError("The features hold NaN or infinity.", "Retrain the extractor.")
    cells = 2 * labels[rows].astype(np.intp) + modality[rows].astype(np.intp)
    weights = even_weights(cells) / len(rows)
    centre = weights @ values
    told = np.stack(
        [np.where(labels[rows] == label, modality[rows] - 0.5, 0.0) for label in np.unique(labels[rows])], axis=1
    )  # fmt: skip
    centred = (values - centre) * np.sqrt(weights)[:, None]
    shared = centred.T @ ((told - weights @ told) * np.sqrt(weights)[:, None])
    whitening, colouring, rank = _whitening(centred.T @ centred)
    directions = _basis(whitening @ shared)
    removed = colouring @ directions @ directions.T @ whitening
    matrix = (np.eye(len(removed)) - removed).T
    return Erasure(matrix, removed @ centre, rank)


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
