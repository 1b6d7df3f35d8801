"""From rows of probabilities to tables: by scan, by pair, and by the split that is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from pipeline.data.scan_index import ModalityIndex
from pipeline.evaluation.tables.rows import UNNAMED, Arms, Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

Probabilities = Mapping[str, Mapping[str, np.ndarray]]


class PairRows(Protocol):
    """Pairs ``rows (P, 2)`` int, ``labels (P,)``, ``split (P,)`` str."""

    rows: NDArray
    labels: NDArray
    split: NDArray


def pair_ids(indexes: Mapping[str, ModalityIndex], pairs: PairRows) -> np.ndarray:
    """``<X-ray id>|<CT id>`` of each pair, numbered where a pair occurs more than once."""
    names = [f"{indexes['xray'].ids[x]}|{indexes['ct'].ids[c]}" for x, c in pairs.rows]
    seen: dict[str, int] = {}
    unique = []
    for name, split in zip(names, pairs.split, strict=True):
        key = f"{name}|shuffled" if split == "shuffled" else name
        seen[key] = seen.get(key, 0) + 1
        unique.append(key if seen[key] == 1 else f"{key}|{seen[key]}")
    return np.array(unique)


def pair_frame(indexes: Mapping[str, ModalityIndex], pairs: PairRows) -> pd.DataFrame:
    """One row a pair: id, xray_row, ct_row, xray_id, ct_id, label (0/1), split."""
    xray, ct = pairs.rows.T
    return pd.DataFrame({
        "id": pair_ids(indexes, pairs), "xray_row": xray, "ct_row": ct, "xray_id": indexes["xray"].ids[xray],
        "ct_id": indexes["ct"].ids[ct], "label": pairs.labels, "split": pairs.split,
    })  # fmt: skip


def prediction_frame(
    indexes: Mapping[str, ModalityIndex], pairs: PairRows, probabilities: Probabilities
) -> pd.DataFrame:
    """One row a scan or pair and variant: id, modality, split, patient_id, label, variant, probability."""
    parts = []
    for variant, by_modality in probabilities.items():
        for name, values in by_modality.items():
            ids, patients, labels, splits = _columns(indexes, pairs, name)
            flat = patients if patients.ndim == 1 else np.array(["|".join(p) for p in patients])
            parts.append(pd.DataFrame({
                "id": ids, "modality": name, "split": splits, "patient_id": flat, "label": labels, "variant": variant,
                "probability": values,
            }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def split_tables(
    indexes: Mapping[str, ModalityIndex],
    pairs: PairRows,
    probabilities: Probabilities,
    split: str,
    class_names: Sequence[str] = UNNAMED,
) -> Arms:
    """``{variant: {modality: rows}}`` of one split; for ``test`` also ``shuffled_pairs``, the control.

    ``probabilities[variant][modality]`` is ``(N,)`` or, for S training seeds, ``(S, N)``; ``class_names``: negative, positive.
    """
    tables: Arms = {}
    for variant, by_modality in probabilities.items():
        mine = tables.setdefault(variant, {})
        for name, values in by_modality.items():
            mine[name] = _rows(indexes, pairs, name, values, split, class_names)
        if split == "test" and "paired" in by_modality:
            mine["shuffled_pairs"] = _rows(indexes, pairs, "paired", by_modality["paired"], "shuffled", class_names)
    return tables


def _rows(
    indexes: Mapping[str, ModalityIndex], pairs: PairRows, name: str, values: np.ndarray, split: str, class_names: Sequence[str]
) -> Rows:
    ids, patients, labels, splits = _columns(indexes, pairs, name)
    mine = np.flatnonzero(splits == split)
    return Rows.binary(labels[mine], np.asarray(values, np.float64)[..., mine], patients[mine], ids[mine], class_names)


def _columns(indexes: Mapping[str, ModalityIndex], pairs: PairRows, name: str):
    if name != "paired":
        index = indexes[name]
        return index.ids, index.patients, index.labels, index.splits
    patients = np.stack(
        [indexes["xray"].patients[pairs.rows[:, 0]], indexes["ct"].patients[pairs.rows[:, 1]]], axis=1
    )
    return pair_ids(indexes, pairs), patients, pairs.labels, pairs.split
