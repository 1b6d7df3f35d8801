"""What the out-of-fold answers say of each source: a source whose label never varies can be learnt instead."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.data.scan_index import ModalityIndex
from pipeline.evaluation.statistics.clusters import cluster_codes
from pipeline.evaluation.statistics.intervals import patient_mean_interval


def out_of_fold_frame(
    indexes: Mapping[str, ModalityIndex],
    answers: Mapping[str, Mapping[str, np.ndarray]],
    folds: Mapping[str, np.ndarray],
) -> pd.DataFrame:
    """One row a scan and variant: id, modality, source, patient_id, label, fold, variant, probability."""
    parts = [
        pd.DataFrame({
            "id": indexes[m].ids, "modality": m, "source": indexes[m].sources, "patient_id": indexes[m].patients,
            "label": indexes[m].labels, "fold": folds[m], "variant": variant, "probability": values,
        })
        for variant, by_modality in answers.items() for m, values in by_modality.items()
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def source_rates(
    indexes: Mapping[str, ModalityIndex],
    answers: Mapping[str, Mapping[str, np.ndarray]],
    seed: int,
    threshold: float = 0.5,
) -> list[dict]:
    """False-positive rate on each source's negatives and sensitivity on its positives, out of fold.

    One entry a variant, modality and source: ``{"variant", "modality", "source", "false_positive_rate",
    "sensitivity"}``, each rate ``{"value", "low", "high", "n", "patients"}`` (patient-clustered bootstrap, 95 %)
    or ``None`` where the source has no such scan.
    """
    entries = []
    for variant, by_modality in answers.items():
        for modality, probabilities in by_modality.items():
            index = indexes[modality]
            called = probabilities >= threshold
            for source in np.unique(index.sources):
                mine = index.sources == source
                rates = {
                    name: _rate(
                        called[mine & (index.labels == label)],
                        index.patients[mine & (index.labels == label)],
                        seed,
                    )
                    for name, label in (("false_positive_rate", 0), ("sensitivity", 1))
                }
                entries.append({"variant": variant, "modality": modality, "source": str(source), **rates})
    return entries


def _rate(called: np.ndarray, patients: np.ndarray, seed: int) -> dict | None:
    if called.size == 0:
        return None
    return {
        **patient_mean_interval(called.astype(np.float64), patients, seed),
        "n": int(called.size),
        "patients": int(cluster_codes(patients).max()) + 1,
    }
