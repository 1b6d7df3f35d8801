"""The p value of a permutation test, and p values of one family adjusted for each other."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

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


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjusted p values, in the order given (Holm 1979, Scand J Stat 6).

    A test without a p value (None: it could not be made) stays None and does not count in the family.
    """
    made = [p for p in p_values if p is not None]
    if not made:
        return [None] * len(p_values)
    adjusted = iter(float(p) for p in multipletests(made, method="holm")[1])
    return [None if p is None else next(adjusted) for p in p_values]
