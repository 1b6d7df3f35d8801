"""What the out-of-fold answers say of each source: a source whose label never varies can be learnt instead."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.data.scan_index import ModalityIndex
from pipeline.evaluation.statistics.clusters import cluster_codes
from pipeline.evaluation.statistics.intervals import patient_mean_interval
from pipeline.training.multitask.reports.prediction_frame import classes_of, told_labels, told_probabilities


def out_of_fold_frame(
    indexes: Mapping[str, ModalityIndex],
    answers: Mapping[str, Mapping[str, np.ndarray]],
    folds: Mapping[str, np.ndarray],
) -> pd.DataFrame:
    """One row a scan and variant: id, modality, source, patient_id, label, fold, variant, and `told_probabilities`."""
    classes = classes_of(indexes)
    parts = [
        pd.DataFrame({
            "id": indexes[m].ids, "modality": m, "source": indexes[m].sources, "patient_id": indexes[m].patients,
            "label": told_labels(indexes[m].labels, classes), "fold": folds[m], "variant": variant,
            **told_probabilities(values, classes),
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
    """Of two classes the false-positive rate on each source's negatives and the sensitivity on its positives, of more the
    sensitivity of each class on the source's scans of it; out of fold.

    One entry a variant, modality and source: ``{"variant", "modality", "source", "false_positive_rate",
    "sensitivity"}``, or ``{…, "source", "sensitivity_of": {class: rate}}``; each rate ``{"value", "low", "high", "n",
    "patients"}`` (patient-clustered bootstrap, 95 %) or ``None`` where the source has no such scan.
    """
    classes, entries = classes_of(indexes), []
    for variant, by_modality in answers.items():
        for modality, probabilities in by_modality.items():
            index = indexes[modality]
            called = probabilities >= threshold if len(classes) == 2 else probabilities.argmax(axis=1)
            for source in np.unique(index.sources):
                cells = [(index.sources == source) & (index.labels == number) for number in range(len(classes))]
                if len(classes) == 2:
                    told = [_rate(called[cell], index.patients[cell], seed) for cell in cells]
                    rates = dict(zip(("false_positive_rate", "sensitivity"), told, strict=True))
                else:
                    of = {
                        name: _rate(called[cell] == number, index.patients[cell], seed)
                        for number, (name, cell) in enumerate(zip(classes.names, cells, strict=True))
                    }
                    rates = {"sensitivity_of": of}
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
