"""Permutation test of the gap between groups of patients."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.statistics.intervals import metric_draws
from pipeline.evaluation.statistics.p_values import permutation_p
from pipeline.evaluation.studies.patient_groups import PatientGroups
from pipeline.evaluation.tables.rows import Rows

# weights of permuted groups are made in blocks of this many numbers
BLOCK_ELEMENTS = 4_000_000


def gap_permutation(
    rows: Rows,
    codes: NDArray[np.intp],
    groups: PatientGroups,
    metrics: Mapping[str, str],
    ranked: Mapping[str, Sequence[int]],
    permutations: int,
    seed: int,
) -> dict[str, float | None]:
    """p of each metric's largest minus smallest group value, among its `ranked` groups: {metric: p}.

    Under the null, group says nothing about how a patient of a given class is classified, so group labels are exchanged
    between patients whose most frequent class is the same: groups may differ in their mix of classes. What moves is a
    patient's rows of one group; a patient in two groups (two views) counts as two, whose likeness makes gaps smaller than
    the permuted ones and the test careful. Permuting takes the choice of the extreme groups into account.
    """
    if not ranked:
        return {}
    unit, unit_group, stratum = _units(rows, codes, groups)
    known = groups.codes >= 0
    count = len(groups.names)
    masks = (groups.codes[None, :] == np.arange(count)[:, None]).astype(np.float64)
    observed = _gaps(rows, masks[None], metrics, ranked)
    generator = np.random.default_rng(seed)
    step = max(1, BLOCK_ELEMENTS // (count * codes.size))
    parts: list[dict[str, NDArray[np.float64]]] = []
    for start in range(0, permutations, step):
        size = min(step, permutations - start)
        moved = np.empty((size, unit_group.size), dtype=np.intp)
        for number in np.unique(stratum):
            members = np.flatnonzero(stratum == number)
            moved[:, members] = generator.permuted(np.tile(unit_group[members], (size, 1)), axis=1)
        by_row = np.full((size, codes.size), -1)
        by_row[:, known] = moved[:, unit[known]]
        weights = (by_row[:, None, :] == np.arange(count)[None, :, None]).astype(np.float64)
        parts.append(_gaps(rows, weights, metrics, ranked))
    return {
        metric: permutation_p(observed[metric][0], np.concatenate([part[metric] for part in parts]), two_sided=False)
        for metric in ranked
    }


def _units(
    rows: Rows, codes: NDArray[np.intp], groups: PatientGroups
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Unit of each row (-1: no group), and group and most frequent class of each unit."""
    known = np.flatnonzero(groups.codes >= 0)
    pairs = np.stack([codes[known], groups.codes[known]], axis=1)
    names, numbers = np.unique(pairs, axis=0, return_inverse=True)
    unit = np.full(codes.size, -1)
    unit[known] = numbers.ravel()
    counts = np.zeros((names.shape[0], len(rows.class_names)))
    np.add.at(counts, (unit[known], rows.truth[known]), 1)
    return unit, names[:, 1], counts.argmax(axis=1)


def _gaps(
    rows: Rows,
    weights: NDArray[np.float64],
    metrics: Mapping[str, str],
    ranked: Mapping[str, Sequence[int]],
) -> dict[str, NDArray[np.float64]]:
    """Largest minus smallest value among the ranked groups: {metric: (B,)} from weights (B, G, N)."""
    size, count, length = weights.shape
    values = metric_draws(rows, weights.reshape(size * count, length), {metric: metrics[metric] for metric in ranked})
    return {metric: np.ptp(values[metric].reshape(size, count)[:, list(places)], axis=1) for metric, places in ranked.items()}
