"""Area under the ROC curve and average precision for many row weightings at once."""

import numpy as np
from numpy.typing import NDArray


def weighted_ranking(
    positive: NDArray[np.bool_], scores: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """AUC and average precision of one score vector under R weightings of its rows.

    A clustered bootstrap draw, or one arm of a permuted pair, is an integer weight on each row, so the scores
    are sorted once and every draw costs two cumulative sums. Tied scores form one step of the curve: the AUC
    is the Mann-Whitney statistic with ties counted half, the average precision is sum (R_k - R_{k-1}) P_k.

    positive: (N,) bool; scores: (N,) finite, any scale; weights: (R, N) >= 0.
    Returns two (R,) arrays; NaN where a weighting leaves one class out (AUC) or no positive (precision).
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    positive_rows = np.where(positive[order], 1.0, 0.0)
    sorted_weights = weights[:, order]
    hits = np.cumsum(sorted_weights * positive_rows, axis=1)[:, ends]
    selected = np.cumsum(sorted_weights, axis=1)[:, ends]
    false_alarms = selected - hits

    total_hits, total_false = hits[:, -1], false_alarms[:, -1]
    hit_steps = np.diff(hits, axis=1, prepend=0.0)
    false_steps = np.diff(false_alarms, axis=1, prepend=0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        auc = np.sum(false_steps * (hits - hit_steps / 2), axis=1) / (total_hits * total_false)
        # a step without weight has 0/0 precision and no recall to multiply it with
        precision = np.divide(hits, selected, out=np.zeros_like(hits), where=selected > 0)
        average_precision = np.sum(hit_steps * precision, axis=1) / total_hits
    return auc, average_precision
