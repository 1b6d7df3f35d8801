"""Which rows belong to one patient, and how a resample weights them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.engine.errors import DataError


def cluster_codes(patient_ids: ArrayLike) -> NDArray[np.intp]:
    """Cluster number of each row, 0 .. C-1.

    patient_ids: (N,) ids of any type, or (N, 2) for pairs of scans from two sides. An empty id means
    "unknown": such a row is a cluster of its own. Raises DataError for other shapes.

    Pairs are clustered by the scarcer side, the one with fewer distinct patients (the first where equal).
    Connected components would be exact, but one side's patients are drawn again and again: the pair graph
    then hangs together and leaves a handful of giant clusters, from which nothing can be resampled. What is
    left out is the dependence through patients of the more plentiful side; `cluster_note` says so.
    """
    ids = np.asarray(patient_ids).astype(str)
    if ids.ndim == 2 and ids.shape[1] == 2:
        return cluster_codes(ids[:, scarcer_side(ids)])
    if ids.ndim != 1 or ids.size == 0:
        raise DataError(
            f"Patient ids have shape {ids.shape}, expected (N,) or (N, 2).", "Pass one id per row."
        )
    unknown = ids == ""
    codes = np.empty(ids.size, dtype=np.intp)
    names, codes[~unknown] = np.unique(ids[~unknown], return_inverse=True)
    codes[unknown] = names.size + np.arange(int(unknown.sum()))
    return codes


def scarcer_side(pair_ids: NDArray[np.str_]) -> int:
    """Column (0 or 1) of (N, 2) ids with fewer distinct patients; unknown ids count as one patient each."""
    counts = [cluster_codes(pair_ids[:, side]).max() for side in (0, 1)]
    return int(counts[1] < counts[0])


def cluster_note(patient_ids: ArrayLike, sides: tuple[str, str] = ("X-ray", "CT")) -> str:
    """One sentence on how rows were clustered, "" where every row simply has its patient's id."""
    ids = np.asarray(patient_ids).astype(str)
    if ids.ndim == 2:
        side = scarcer_side(ids)
        return (
            f"pairs are clustered by {sides[side]} patient, the scarcer side; patients of the "
            f"{sides[1 - side]} side that recur in several pairs are not accounted for, "
            "so these intervals are a little narrow"
        )
    unknown = int(np.sum(ids == ""))
    if unknown:
        return (
            f"{unknown} of {ids.size} rows have no patient id and count as one patient each; "
            "if patients recur among them, these intervals are too narrow"
        )
    return ""


def bootstrap_weights(codes: NDArray[np.intp], resamples: int, seed: int) -> NDArray[np.int32]:
    """How often each row occurs in each resample of whole clusters.

    codes: (N,) cluster numbers. Returns (resamples, N) int32. Clusters are drawn with replacement, all rows
    of a drawn cluster enter together (the "randomised cluster" bootstrap; Field & Welsh 2007, JRSS B 69).
    """
    count = int(codes.max()) + 1
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    return draws.astype(np.int32)[:, codes]


def cluster_sums(values: NDArray[np.float64], codes: NDArray[np.intp]) -> NDArray[np.float64]:
    """Sum of (N,) values in each cluster: (C,)."""
    return np.bincount(codes, weights=values, minlength=int(codes.max()) + 1).astype(np.float64)
