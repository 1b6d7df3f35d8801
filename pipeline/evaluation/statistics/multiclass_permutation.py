"""Patient-clustered permutation test of two classifiers of K classes on the same scans."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from pipeline.evaluation.metrics.binary import defined
from pipeline.evaluation.metrics.multiclass import class_rates, weighted_confusion
from pipeline.evaluation.metrics.ranking import weighted_ranking
from pipeline.evaluation.statistics.clusters import cluster_sums
from pipeline.evaluation.statistics.intervals import BLOCK_ELEMENTS
from pipeline.evaluation.statistics.paired_tests import PERMUTATIONS, PermutationResult
from pipeline.evaluation.statistics.permutation import permutation_p
from pipeline.evaluation.tables.multiclass_inputs import ClassifiedRows

PERMUTED_METRICS = ("accuracy", "macro_f1", "macro_auc")


def multiclass_permutation(
    first: ClassifiedRows, second: ClassifiedRows, codes: NDArray[np.intp], permutations: int = PERMUTATIONS, seed: int = 0
) -> dict[str, PermutationResult]:
    """Two-sided test of second - first in PERMUTED_METRICS that swaps the arms of whole patients.

    first, second: the same rows; codes: (N,) cluster numbers. Under the null the arms of a patient are exchangeable:
    a fair coin per patient swaps all of that patient's rows. For the AUC each arm's scores of a class become ranks
    within the arm first, so that calibration is not mistaken for ranking (Bandos, Rockette & Gur 2005, Stat Med 24).
    """
    count = int(codes.max()) + 1
    swaps = np.random.default_rng(seed).random((permutations, count)) < 0.5
    still = np.zeros((1, count), dtype=bool)
    right = [(rows.predicted == rows.true_index).astype(np.float64) for rows in (first, second)]
    gain = cluster_sums(right[1] - right[0], codes) / codes.size
    results = {"accuracy": _result(gain.sum(), (1.0 - 2.0 * swaps) @ gain, count)}
    statistics = {"macro_f1": _macro_f1, "macro_auc": _macro_auc}
    for name, statistic in statistics.items():
        observed = np.concatenate([statistic(first, second, moved) for moved in _blocks(still, codes)])[0]
        permuted = np.concatenate([statistic(first, second, moved) for moved in _blocks(swaps, codes)])
        results[name] = _result(observed, permuted, count)
    return results


def _blocks(swaps: NDArray[np.bool_], codes: NDArray[np.intp]) -> Iterator[NDArray[np.float64]]:
    """The swaps of the rows, (B, N) of 0 and 1, in blocks that bound the memory."""
    step = max(1, BLOCK_ELEMENTS // (2 * codes.size))
    for start in range(0, swaps.shape[0], step):
        yield swaps[start : start + step][:, codes].astype(np.float64)


def _macro_f1(first: ClassifiedRows, second: ClassifiedRows, moved: NDArray[np.float64]) -> NDArray[np.float64]:
    present = np.bincount(first.true_index, minlength=len(first.class_names)) > 0
    arm_a = weighted_confusion(first, 1 - moved) + weighted_confusion(second, moved)
    arm_b = weighted_confusion(first, moved) + weighted_confusion(second, 1 - moved)
    means = [class_rates(matrices)["f1"][:, present].mean(axis=1) for matrices in (arm_a, arm_b)]
    return means[1] - means[0]


def _macro_auc(first: ClassifiedRows, second: ClassifiedRows, moved: NDArray[np.float64]) -> NDArray[np.float64]:
    weights_a = np.concatenate([1 - moved, moved], axis=1)
    weights_b = np.concatenate([moved, 1 - moved], axis=1)
    differences = []
    for k in np.unique(first.true_index):
        # both arms are one row of 2N scores; a swap is a weight
        scores = np.concatenate([rankdata(rows.probabilities[:, k]) for rows in (first, second)])
        positive = np.tile(first.true_index == k, 2)
        differences.append(weighted_ranking(positive, scores, weights_b)[0] - weighted_ranking(positive, scores, weights_a)[0])
    return np.mean(differences, axis=0)


def _result(observed: float, permuted: NDArray[np.float64], clusters: int) -> PermutationResult:
    return PermutationResult(defined(observed), permutation_p(observed, permuted), clusters)
