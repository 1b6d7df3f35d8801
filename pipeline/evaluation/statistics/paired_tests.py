"""Tests of two classifiers on the same scans: McNemar's mid-p and a patient-clustered permutation test."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom, rankdata

from pipeline.engine.errors import DataError
from pipeline.evaluation.metrics.ranking import weighted_ranking
from pipeline.evaluation.statistics.clusters import cluster_codes, cluster_sums
from pipeline.evaluation.statistics.permutation import permutation_p
from pipeline.evaluation.tables.binary_inputs import checked_binary, checked_probabilities

PERMUTATIONS = 5000


@dataclass(frozen=True)
class PermutationResult:
    """Observed difference b - a and its two-sided p; both None where the statistic is undefined."""

    statistic: float | None
    p: float | None
    clusters: int


def mcnemar_midp(b: int, c: int) -> float:
    """Two-sided mid-p of McNemar's test from the two discordant counts.

    b: rows that only the first classifier gets right; c: only the second. With n = b + c and X ~ Bin(n, 1/2):
    2 P(X <= min) - P(X = min), and 1 - P(X = b) / 2 where b = c (Fagerland, Lydersen & Laake 2013, BMC Med
    Res Methodol 13:91); 1 where nothing is discordant. Rows count as independent. Raises DataError for
    negative counts.
    """
    if b < 0 or c < 0:
        raise DataError(f"Discordant counts ({b}, {c}) must not be negative.", "Count rows, not differences.")
    total, smaller = b + c, min(b, c)
    if total == 0:
        return 1.0
    point = float(binom.pmf(smaller, total, 0.5))
    if b == c:
        return 1.0 - point / 2
    return float(2 * binom.cdf(smaller, total, 0.5) - point)


def discordant_counts(
    labels: ArrayLike, probabilities_a: ArrayLike, probabilities_b: ArrayLike, threshold: float = 0.5
) -> tuple[int, int]:
    """(only a right, only b right) of two (N,) probability vectors on (N,) labels. Raises DataError."""
    right_a, right_b = right_rows(labels, probabilities_a, probabilities_b, threshold)
    return int(np.sum(right_a & ~right_b)), int(np.sum(~right_a & right_b))


def right_rows(
    labels: ArrayLike, probabilities_a: ArrayLike, probabilities_b: ArrayLike, threshold: float = 0.5
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Two (N,) bool arrays: where a, and where b, is right at `threshold`. Raises DataError."""
    positive, first = checked_binary(labels, probabilities_a)
    second = checked_probabilities(probabilities_b, positive.size)
    return (first[0] >= threshold) == positive, (second[0] >= threshold) == positive


def clustered_permutation(
    labels: ArrayLike,
    probabilities_a: ArrayLike,
    probabilities_b: ArrayLike,
    clusters: ArrayLike,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    threshold: float = 0.5,
) -> dict[str, PermutationResult]:
    """Permutation test of the accuracy and the AUC difference that swaps the arms of whole patients.

    labels, probabilities_a, probabilities_b: (N,); clusters: (N,) or (N, 2) patient ids. Under the null the
    arms of a patient are exchangeable; a fair coin per patient swaps all of that patient's rows at once.
    For the AUC each arm's scores become ranks within the arm first, so that a difference in calibration is
    not mistaken for one in ranking (Bandos, Rockette & Gur 2005, Stat Med 24). p = (1 + count) / (1 + B),
    two-sided. Returns {"accuracy", "auc": PermutationResult}. Raises DataError.
    """
    right_a, right_b = right_rows(labels, probabilities_a, probabilities_b, threshold)
    positive, first = checked_binary(labels, probabilities_a)
    second = checked_probabilities(probabilities_b, positive.size)
    codes = cluster_codes(clusters)
    count = int(codes.max()) + 1
    swaps = np.random.default_rng(seed).random((permutations, count)) < 0.5
    gain = cluster_sums(right_b.astype(np.float64) - right_a, codes)
    rows = positive.size
    accuracy = _result(float(gain.sum()) / rows, (1.0 - 2.0 * swaps) @ gain / rows, count)
    scores = np.concatenate([rankdata(first[0]), rankdata(second[0])])
    observed = _auc_differences(positive, scores, np.zeros((1, positive.size)))[0]
    permuted = _auc_differences(positive, scores, swaps[:, codes])
    return {"accuracy": accuracy, "auc": _result(float(observed), permuted, count)}


def _auc_differences(
    positive: NDArray[np.bool_], scores: NDArray[np.float64], swapped: NDArray
) -> NDArray[np.float64]:
    """AUC(b) - AUC(a) after each swap: (B,). Both arms are one row of 2N scores; a swap is a weight."""
    labels = np.concatenate([positive, positive])
    differences = np.empty(swapped.shape[0])
    step = max(1, 1_000_000 // labels.size)
    for start in range(0, swapped.shape[0], step):
        moved = swapped[start : start + step].astype(np.float64)
        arm_a, _ = weighted_ranking(labels, scores, np.concatenate([1 - moved, moved], axis=1))
        arm_b, _ = weighted_ranking(labels, scores, np.concatenate([moved, 1 - moved], axis=1))
        differences[start : start + step] = arm_b - arm_a
    return differences


def _result(observed: float, permuted: NDArray[np.float64], clusters: int) -> PermutationResult:
    if not np.isfinite(observed):
        return PermutationResult(None, None, clusters)
    return PermutationResult(observed, permutation_p(observed, permuted), clusters)
