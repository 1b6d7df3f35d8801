"""Did the alignment happen? A fresh linear probe on held-out patients answers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.data.scan_index import ModalityIndex
from pipeline.engine.errors import DataError
from pipeline.evaluation.metrics.names import binary_names
from pipeline.evaluation.statistics.intervals import metric_intervals
from pipeline.evaluation.tables.rows import UNNAMED, Rows, checked_labels

REPORTED = ("accuracy", "balanced_accuracy", "auc")


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


def modality_probe(
    features_train: ArrayLike,
    modality_train: ArrayLike,
    features_test: ArrayLike,
    modality_test: ArrayLike,
    groups_test: ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
    regularisation: float = 1.0,
) -> dict:
    """Logistic regression on standardised features, fitted on one split and read on another.

    features_train: (N, F), features_test: (M, F) float; modality: (N,) and (M,), 1 = X-ray, 0 = CT;
    groups_test: (M,) patient ids for the clustered interval (None: each row its own). `regularisation` is
    scikit-learn's C. Where alignment succeeded the balanced accuracy and the AUC lie near 0.5 and the
    accuracy near `majority_rate`, the share of the commoner modality in the test rows.
    Returns {"accuracy", "balanced_accuracy", "auc": {"value", "low", "high"}, "majority_rate", "n_train",
    "n_test"}. Raises DataError for NaN, shapes that disagree, or a single modality in the training rows.
    """
    train, known = _checked(features_train, modality_train, "training")
    test, truth = _checked(features_test, modality_test, "test")
    if train.shape[1] != test.shape[1]:
        raise DataError(
            f"Training features have {train.shape[1]} columns, test features {test.shape[1]}.",
            "Probe features of one extractor.",
        )
    if known.all() or not known.any():
        raise DataError("The probe's training rows are all of one modality.", "Give it X-ray and CT rows.")
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=regularisation, max_iter=3000))
    probe.fit(train, known)
    groups = np.arange(truth.size) if groups_test is None else groups_test
    rows = Rows.binary(truth, probe.predict_proba(test)[:, 1], groups)
    share = float(truth.mean())
    return {
        **metric_intervals(rows, binary_names(UNNAMED[1], REPORTED), resamples, seed),
        "majority_rate": max(share, 1 - share),
        "n_train": int(known.size),
        "n_test": int(truth.size),
    }


def _checked(
    features: ArrayLike, modality: ArrayLike, part: str
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    known = checked_labels(modality)
    values = np.asarray(features, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != known.size:
        raise DataError(
            f"The probe's {part} features have shape {values.shape} for {known.size} rows.",
            "Pass one row of features for each scan.",
        )
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        raise DataError(
            f"The probe's {part} features hold NaN or infinity in row {row}.", "Retrain the extractor."
        )
    return values, known
