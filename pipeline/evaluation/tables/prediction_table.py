"""One arm's predictions on one modality, and the rows that several arms share."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.errors import DataError
from pipeline.evaluation.statistics.clusters import cluster_codes
from pipeline.evaluation.tables.binary_inputs import checked_labels, checked_probabilities


@dataclass(frozen=True)
class PredictionTable:
    """Predictions of S retrained models on N scans (or pairs of scans).

    ids: (N,) str, unique. patient_ids: (N,) str, "" = unknown; for pairs (N, 2), X-ray patient and CT
    patient. labels: (N,) 0/1 (stored int8). probabilities: (S, N) or (N,) of the positive class in [0, 1]
    (stored float64 (S, N)). Raises DataError where these do not agree, on NaN and on repeated ids.
    """

    ids: NDArray
    patient_ids: NDArray
    labels: NDArray
    probabilities: NDArray

    def __post_init__(self) -> None:
        ids = np.asarray(self.ids).astype(str)
        patients = np.asarray(self.patient_ids).astype(str)
        labels = checked_labels(self.labels)
        if ids.shape != labels.shape or patients.shape[:1] != labels.shape:
            raise DataError(
                f"A prediction table has {ids.size} ids, {len(patients)} patient ids "
                f"and {labels.size} labels.",
                "Pass one of each for each row.",
            )
        names, counts = np.unique(ids, return_counts=True)
        if counts.max() > 1:
            raise DataError(
                f"Id '{names[counts.argmax()]}' occurs twice among the predictions.", "Make ids unique."
            )
        cluster_codes(patients)
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "patient_ids", patients)
        object.__setattr__(self, "labels", labels.astype(np.int8))
        object.__setattr__(self, "probabilities", checked_probabilities(self.probabilities, labels.size))

    @property
    def seed_mean(self) -> NDArray[np.float64]:
        """Mean over the S seeds of the probabilities: (N,), the prediction that the paired tests compare."""
        return self.probabilities.mean(axis=0)

    @property
    def clusters(self) -> NDArray[np.intp]:
        """Cluster number of each row: (N,). See pipeline.evaluation.statistics.clusters for pairs and unknown ids."""
        return cluster_codes(self.patient_ids)

    def select(self, rows: NDArray[np.intp]) -> "PredictionTable":
        """The table of the given rows, in the given order."""
        return PredictionTable(
            self.ids[rows], self.patient_ids[rows], self.labels[rows], self.probabilities[:, rows]
        )


def align_arms(tables: dict[str, PredictionTable], where: str) -> tuple[dict[str, PredictionTable], str]:
    """The same rows in the same order for every arm, and a warning ("" if no row was left out).

    tables: arm -> table of one modality; where: its name, for messages. Rows are matched by id and follow
    the first arm's order. Raises DataError where no id is shared, or labels or patients of one id disagree.
    """
    first_name, first = next(iter(tables.items()))
    shared = set(first.ids)
    for table in tables.values():
        shared &= set(table.ids)
    if not shared:
        raise DataError(
            f"The arms {', '.join(tables)} share no {where} id.", "Compare predictions of the same scans."
        )
    order = [name for name in first.ids if name in shared]
    aligned = {}
    for arm, table in tables.items():
        place = {name: row for row, name in enumerate(table.ids)}
        aligned[arm] = table.select(np.array([place[name] for name in order], dtype=np.intp))
        for field in ("labels", "patient_ids"):
            expected, found = getattr(aligned[first_name], field), getattr(aligned[arm], field)
            differing = np.ones(len(order), bool) if expected.shape != found.shape else expected != found
            if np.any(differing):
                row = int(np.flatnonzero(differing.reshape(len(order), -1).any(axis=1))[0])
                raise DataError(
                    f"{where} id '{order[row]}': {field} of '{first_name}' and '{arm}' differ.",
                    "Compare predictions of the same scans with the same labels.",
                )
    most = max(table.ids.size for table in tables.values())
    if most == len(order):
        return aligned, ""
    return aligned, f"{where}: {most - len(order)} of {most} rows are not in every arm and were left out"
