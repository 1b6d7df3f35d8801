"""The p value of a permutation test."""

import numpy as np
from numpy.typing import NDArray

# two statistics nearer than this are the same number up to rounding
ROUNDING = 1e-12


def permutation_p(observed: float, permuted: NDArray[np.float64], two_sided: bool = True) -> float | None:
    """p = (1 + permutations at least as extreme) / (1 + permutations), never 0 (Phipson & Smyth 2010, SAGMB 9).

    observed: the statistic of the data; permuted: (B,) of the permuted data. One-sided: large values are extreme.
    A permutation that leaves the statistic undefined (NaN) counts as extreme. None where `observed` is undefined.
    """
    if not np.isfinite(observed):
        return None
    distance, limit = (np.abs(permuted), abs(observed)) if two_sided else (permuted, observed)
    extreme = int(np.sum(~(distance < limit - ROUNDING)))
    return (1 + extreme) / (1 + permuted.size)
