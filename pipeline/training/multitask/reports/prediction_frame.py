"""From rows of probabilities to tables: by scan, by pair, and by the split that is judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from pipeline.data.run_classes import RunClasses
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
    """One row a pair: id, xray_row, ct_row, xray_id, ct_id, label (0/1, or the class's name), split."""
    xray, ct = pairs.rows.T
    return pd.DataFrame({
        "id": pair_ids(indexes, pairs), "xray_row": xray, "ct_row": ct, "xray_id": indexes["xray"].ids[xray],
        "ct_id": indexes["ct"].ids[ct], "label": told_labels(pairs.labels, classes_of(indexes)),
        "split": pairs.split,
    })  # fmt: skip


def told_labels(labels: np.ndarray, classes: RunClasses) -> np.ndarray:
    """Labels as tables tell them: 0 and 1 of two classes, the names of more."""
    return labels if len(classes) == 2 else np.array(classes.names)[labels]


def told_probabilities(values: np.ndarray, classes: RunClasses) -> dict[str, np.ndarray]:
    """Columns of probabilities: of the positive class of two ``(N,)``, or ``prob_<class>`` of each of more ``(N, K)``."""
    if len(classes) == 2:
        return {"probability": values}
    return {f"prob_{name}": values[:, number] for number, name in enumerate(classes.names)}


def prediction_frame(
    indexes: Mapping[str, ModalityIndex], pairs: PairRows | None, probabilities: Probabilities
) -> pd.DataFrame:
    """One row a scan or pair and variant: id, modality, split, patient_id, label, variant, and `told_probabilities`."""
    classes, parts = classes_of(indexes), []
    for variant, by_modality in probabilities.items():
        for name, values in by_modality.items():
            ids, patients, labels, splits = _columns(indexes, pairs, name)
            flat = patients if patients.ndim == 1 else np.array(["|".join(p) for p in patients])
            parts.append(pd.DataFrame({
                "id": ids, "modality": name, "split": splits, "patient_id": flat, "label": told_labels(labels, classes),
                "variant": variant, **told_probabilities(values, classes),
            }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def split_tables(
    indexes: Mapping[str, ModalityIndex],
    pairs: PairRows | None,
    probabilities: Probabilities,
    split: str,
) -> Arms:
    """``{variant: {modality: rows}}`` of one split; for ``test`` also ``shuffled_pairs``, the control, where there are pairs.

    ``probabilities[variant][modality]`` is ``(N,)`` or, for S training seeds, ``(S, N)``; of more than two classes
    ``(N, K)`` or ``(S, N, K)``. The rows' classes are those of the indexes.
    """
    tables: Arms = {}
    for variant, by_modality in probabilities.items():
        mine = tables.setdefault(variant, {})
        for name, values in by_modality.items():
            mine[name] = _rows(indexes, pairs, name, values, split)
        if split == "test" and "paired" in by_modality:
            mine["shuffled_pairs"] = _rows(indexes, pairs, "paired", by_modality["paired"], "shuffled")
    return tables


def _rows(
    indexes: Mapping[str, ModalityIndex], pairs: PairRows | None, name: str, values: np.ndarray, split: str
) -> Rows:
    ids, patients, labels, splits = _columns(indexes, pairs, name)
    mine = np.flatnonzero(splits == split)
    return class_rows(labels[mine], classes_of(indexes).shares(values)[..., mine, :], patients[mine], ids[mine], indexes)


def class_rows(
    labels: np.ndarray, shares: np.ndarray, patients: np.ndarray | None, ids: np.ndarray | None,
    indexes: Mapping[str, ModalityIndex],
) -> Rows:  # fmt: skip
    """Rows of the classes of a run: labels ``(n,)``, probabilities of every class ``(n, K)`` or ``(S, n, K)``."""
    classes = classes_of(indexes)
    return Rows(labels.astype(np.intp), shares, classes.names, patients, ids, classes.positive)


def classes_of(indexes: Mapping[str, ModalityIndex]) -> RunClasses:
    """The classes that the modalities share; unnamed ones are two, numbered 0 and 1."""
    found = next(iter(indexes.values())).classes
    return RunClasses(UNNAMED, UNNAMED[1]) if found is None else found


def _columns(indexes: Mapping[str, ModalityIndex], pairs: PairRows | None, name: str):
    if name != "paired" or pairs is None:
        index = indexes[name]
        return index.ids, index.patients, index.labels, index.splits
    patients = np.stack(
        [indexes["xray"].patients[pairs.rows[:, 0]], indexes["ct"].patients[pairs.rows[:, 1]]], axis=1
    )
    return pair_ids(indexes, pairs), patients, pairs.labels, pairs.split
