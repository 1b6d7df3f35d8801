"""Pairs of an X-ray and a CT slice, drawn by label inside each split; importable without TensorFlow, for comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.data.scan_index import ModalityIndex
from pipeline.data.scans import SPLITS
from pipeline.engine.seeds import derive_seed
from pipeline.evaluation.tables.pairing import draw_pairs, shuffle_pairs


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


def index_pairs(indexes: Mapping[str, ModalityIndex], seed: int) -> Pairs:
    """Pairs within the splits of the run's own index."""
    rows = {m: {split: index.rows(split) for split in SPLITS} for m, index in indexes.items()}
    return pairs_by_split(rows, {m: index.labels for m, index in indexes.items()}, seed)


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
