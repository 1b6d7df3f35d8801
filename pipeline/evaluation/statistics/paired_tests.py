"""Tests of two arms on the same scans: McNemar's mid-p, patient-clustered permutation, sign flips and signed ranks."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, rankdata, wilcoxon

from pipeline.engine.errors import DataError
from pipeline.evaluation.metrics.classification import JudgedRows, defined
from pipeline.evaluation.statistics.clusters import cluster_sums
from pipeline.evaluation.statistics.intervals import metric_draws
from pipeline.evaluation.statistics.p_values import ROUNDING, permutation_p
from pipeline.evaluation.tables.rows import Rows

PERMUTATIONS = 5000
# rows of permuted arms are made in blocks of this many numbers
BLOCK_ELEMENTS = 1_000_000


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


def right_rows(first: Rows, second: Rows) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Two (N,) bool arrays: where the mean answer of the first arm, and of the second, is right."""
    return first.mean().predicted[0] == first.truth, second.mean().predicted[0] == second.truth


def clustered_permutation(
    first: Rows, second: Rows, metrics: Mapping[str, str], permutations: int = PERMUTATIONS, seed: int = 0
) -> dict[str, PermutationResult]:
    """Two-sided permutation test of second - first in each metric that swaps the arms of whole patients.

    first, second: the same rows; metrics: {name: name in the grammar}, of decisions or of ranking. Under the null the arms
    of a patient are exchangeable; a fair coin per patient swaps all of that patient's rows at once. Each arm's scores of a
    class become ranks within the arm first, so that a difference in calibration is not mistaken for one in ranking
    (Bandos, Rockette & Gur 2005, Stat Med 24). p = (1 + count) / (1 + B). Of S trainings the statistic is the mean over them,
    as in `metric_intervals`: a patient's answers are swapped in all trainings at once. Raises DataError where the arms have
    different numbers of them.
    """
    arms, codes = (first, second), first.clusters
    if first.predicted.shape != second.predicted.shape:
        said = f"One arm has {len(first.predicted)} trainings, the other {len(second.predicted)}."
        raise DataError(said, "Test the mean answers: Rows.mean.")
    count = int(codes.max()) + 1
    swaps = np.random.default_rng(seed).random((permutations, count)) < 0.5
    # both arms are one column of 2N rows; a swap is a weight
    ranks = [rankdata(arm.probabilities, axis=1) for arm in arms]
    both = JudgedRows(
        np.tile(first.truth, 2),
        np.concatenate([arm.predicted for arm in arms], axis=1),
        np.concatenate(ranks, axis=1),
        first.class_names,
    )
    observed = _differences(both, np.zeros((1, codes.size)), metrics)
    step = max(1, BLOCK_ELEMENTS // (2 * codes.size))
    blocks = [
        _differences(both, swaps[start : start + step][:, codes].astype(np.float64), metrics)
        for start in range(0, permutations, step)
    ]
    return {
        name: _result(observed[name][0], np.concatenate([block[name] for block in blocks]), count) for name in metrics
    }


def patient_differences(first: NDArray, second: NDArray, codes: NDArray[np.intp]) -> NDArray[np.float64]:
    """Mean of second - first over each patient's scans: (C,) from (N,) measures and cluster numbers."""
    return cluster_sums(np.asarray(second, np.float64) - first, codes) / np.bincount(codes)


def sign_flip_permutation(
    differences: NDArray[np.float64], permutations: int = PERMUTATIONS, seed: int = 0
) -> PermutationResult:
    """Two-sided test of the mean of (C,) patients' differences, whose signs are exchangeable under the null (Fisher 1935)."""
    signs = 1.0 - 2.0 * (np.random.default_rng(seed).random((permutations, differences.size)) < 0.5)
    return _result(float(differences.mean()), signs @ differences / differences.size, differences.size)


def signed_rank(differences: NDArray[np.float64]) -> tuple[float | None, float | None, float | None]:
    """Wilcoxon's signed-rank test of (C,) patients' differences: (smaller rank sum, two-sided p, rank-biserial r).

    Patients without a difference are left out (Wilcoxon 1945); exact where there are at most 50 and no ties. r = (W+ - W-)
    / (W+ + W-), in [-1, 1], positive where the second arm is larger (Kerby 2014, Compr Psychol 3). All None where no patient
    differs.
    """
    moved = differences[np.abs(differences) > ROUNDING]
    if not moved.size:
        return None, None, None
    ranks = rankdata(np.round(np.abs(moved), 12))
    risen, fallen = float(ranks[moved > 0].sum()), float(ranks[moved < 0].sum())
    p = float(wilcoxon(np.sign(moved) * np.round(np.abs(moved), 12)).pvalue)
    return min(risen, fallen), p, (risen - fallen) / (risen + fallen)


def _differences(both: JudgedRows, moved: NDArray[np.float64], metrics: Mapping[str, str]) -> dict[str, NDArray[np.float64]]:
    """Second arm - first arm after each swap (B, N) of 0 and 1: {name: (B,)}."""
    arm_a = metric_draws(both, np.concatenate([1 - moved, moved], axis=1), metrics)
    arm_b = metric_draws(both, np.concatenate([moved, 1 - moved], axis=1), metrics)
    return {name: arm_b[name] - arm_a[name] for name in metrics}


def _result(observed: float, permuted: NDArray[np.float64], clusters: int) -> PermutationResult:
    return PermutationResult(defined(observed), permutation_p(observed, permuted), clusters)
