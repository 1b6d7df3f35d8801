"""Did the alignment happen? A fresh linear probe on held-out patients answers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipeline.data.scan_index import ModalityIndex
from pipeline.evaluation.studies.linear_probe import modality_probe


def probe_modality(features: Mapping[str, np.ndarray], indexes: Mapping[str, ModalityIndex], seed: int) -> dict:
    """Fit the probe on training rows, read it on validation rows (the test part stays unseen).

    ``features[modality]``: ``(N, K)``. See ``modality_probe`` for what is returned.
    """

    def part(split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows = {m: index.rows(split) for m, index in indexes.items()}
        return (
            np.concatenate([np.asarray(features[m])[rows[m]] for m in rows]),
            np.concatenate([np.full(len(rows[m]), m == "xray") for m in rows]),
            np.concatenate([indexes[m].patients[rows[m]] for m in rows]),
        )

    train, train_modality, _ = part("train")
    held, held_modality, patients = part("valid")
    return modality_probe(train, train_modality, held, held_modality, patients, seed=seed)
