"""Pairs of an X-ray and a CT slice, drawn by label inside each split; importable without TensorFlow, for comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.data.scan_index import ModalityIndex
from pipeline.data.scans import MODALITIES, SPLITS
from pipeline.engine.errors import DataError
from pipeline.engine.seeds import derive_seed


@dataclass(frozen=True)
class Pairs:
    """Pairs of an X-ray row and a CT row ``(P, 2)`` int64, split by split, with the label that both share."""

    rows: np.ndarray
    labels: np.ndarray
    split: np.ndarray


def pairs_by_split(rows: Mapping[str, Mapping[str, np.ndarray]], labels: Mapping[str, np.ndarray], seed: int) -> Pairs:
    """Draw pairs split by split from ``rows[modality][split]``; no pair crosses a split."""
    drawn, names = [], []
    for split in SPLITS:
        xray, ct = rows["xray"][split], rows["ct"][split]
        pairs = draw_pairs(labels["xray"][xray], labels["ct"][ct], derive_seed(seed, "pairs", split))
        drawn.append(np.stack([xray[pairs[:, 0]], ct[pairs[:, 1]]], axis=1))
        names.append(np.full(len(pairs), split))
    stacked = np.concatenate(drawn)
    return Pairs(stacked, labels["xray"][stacked[:, 0]].astype(np.int8), np.concatenate(names))


def run_pairs(indexes: Mapping[str, ModalityIndex], seed: int) -> Pairs | None:
    """Pairs within the splits of the run's own index, and their control; None where the run has one modality."""
    if len(indexes) < len(MODALITIES):
        return None
    rows = {m: {split: index.rows(split) for split in SPLITS} for m, index in indexes.items()}
    drawn = pairs_by_split(rows, {m: index.labels for m, index in indexes.items()}, seed)
    return with_shuffled_control(drawn, seed)


def with_shuffled_control(pairs: Pairs, seed: int) -> Pairs:
    """The pairs followed by their control: test pairs whose CT half is dealt anew, in split ``shuffled``.

    A control pair keeps its X-ray's label: what the paired head gains over the X-ray head there is not the CT's.
    """
    test = pairs.split == "test"
    shuffled = shuffle_pairs(pairs.rows[test], derive_seed(seed, "shuffled pairs"))
    return Pairs(
        np.concatenate([pairs.rows, shuffled]),
        np.concatenate([pairs.labels, pairs.labels[test]]),
        np.concatenate([pairs.split, np.full(int(test.sum()), "shuffled")]),
    )


def draw_pairs(xray_labels: ArrayLike, ct_labels: ArrayLike, seed: int) -> NDArray[np.int64]:
    """Pairs of rows with equal label: (P, 2) int64, columns X-ray row and CT row, in random order.

    xray_labels: (N,), ct_labels: (M,), numbers of classes. Within each label the side with more scans gives each scan once,
    the other side goes round in freshly shuffled turns, so that each of its scans is used equally often (up
    to one); P = sum over labels of the larger count. Equal seeds give equal pairs. Raises DataError where a
    label is missing on one side.
    """
    sides = tuple(map(_checked_numbers, (xray_labels, ct_labels)))
    generator = np.random.default_rng(seed)
    blocks = []
    for label in np.union1d(*sides):
        rows = [np.flatnonzero(side == label) for side in sides]
        if (rows[0].size == 0) != (rows[1].size == 0):
            empty = ("X-ray", "CT")[rows[0].size > 0]
            raise DataError(
                f"No {empty} scan has label {int(label)}, so its partners cannot be paired.",
                "Pair within a split that has every label in both modalities.",
            )
        size = max(rows[0].size, rows[1].size)
        blocks.append(np.stack([_turns(side, size, generator) for side in rows], axis=1))
    pairs = np.concatenate(blocks)
    return pairs[generator.permutation(pairs.shape[0])].astype(np.int64)


def shuffle_pairs(pairs: ArrayLike, seed: int) -> NDArray[np.int64]:
    """The control: X-ray rows stay, CT rows are dealt anew among all pairs regardless of label.

    pairs: (P, 2) int. The pair's label stays the X-ray's. What a paired head still gains over the X-ray head
    on such pairs cannot come from the CT scan. Every row occurs as often as before. Raises DataError.
    """
    rows = np.asarray(pairs)
    if rows.ndim != 2 or rows.shape[1] != 2 or rows.shape[0] == 0:
        raise DataError(f"Pairs have shape {rows.shape}, expected (P, 2).", "Draw pairs with draw_pairs.")
    order = np.random.default_rng(seed).permutation(rows.shape[0])
    return np.stack([rows[:, 0], rows[order, 1]], axis=1).astype(np.int64)


def _checked_numbers(labels: ArrayLike) -> NDArray[np.intp]:
    values = np.asarray(labels)
    if values.ndim != 1 or values.size == 0 or not np.equal(np.mod(values, 1), 0).all():
        raise DataError(f"Labels of shape {values.shape} cannot be paired.", "Pass the number of a class for each row.")
    return values.astype(np.intp)


def _turns(rows: NDArray[np.intp], size: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """`size` entries of `rows`: whole shuffled turns, then a part of one."""
    if size == 0:
        return rows
    turns = [generator.permutation(rows) for _ in range(-(-size // rows.size))]
    return np.concatenate(turns)[:size]
