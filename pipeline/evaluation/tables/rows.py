"""What one arm says of some scans: the rows that every metric, test and figure reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.engine.errors import DataError, did_you_mean
from pipeline.evaluation.statistics.clusters import cluster_codes

# probabilities come from float16 graphs and from CSV files with a few decimals
SUM_TOLERANCE = 0.01
# the classes of rows whose labels are 0 and 1, without a name
UNNAMED = ("0", "1")


class _OfPatients:
    """What rows of every kind know of their patients and classes."""

    patients: Any
    class_names: tuple[str, ...]
    positive_class: str | None = None

    @property
    def clusters(self) -> NDArray[np.intp]:
        """Cluster number of each row: (N,). See `pipeline.evaluation.statistics.clusters` for pairs and unknown ids."""
        return cluster_codes(self.patients)

    def by_cluster_number(self) -> Self:
        """The same rows with their cluster's number for a patient: bootstrap draws then do not hang on how patients are
        called. The draws of comparisons are these."""
        return replace(self, patients=self.clusters)

    @property
    def classes_text(self) -> str:
        """The classes in words, the positive one marked."""
        return ", ".join(f"{name} (positive)" if name == self.positive_class else name for name in self.class_names)


@dataclass(frozen=True)
class Rows(_OfPatients):
    """Answers of S trainings for N scans of K classes, K >= 2.

    truth: (N,) integers 0 .. K-1. probabilities: (N, K) or (S, N, K) in [0, 1] that sum to 1 within SUM_TOLERANCE; stored
    (S, N, K) float64. class_names: K, each once. patients: (N,) str, or (N, 2) for pairs of scans, "" = unknown; None: all
    unknown. ids: (N,) str, unique; None: the row numbers. positive_class: of two classes the one that `threshold` (>=)
    decides and that the binary metrics speak of. predicted: (N,) or (S, N) integers; None: by the threshold where there
    is a positive class of two, else the most probable class, the first where equal. scored: False where only `predicted`
    is known, and probabilities stand in for it.
    Raises DataError where these do not agree.
    """

    truth: Any
    probabilities: Any
    class_names: tuple[str, ...]
    patients: Any = None
    ids: Any = None
    positive_class: str | None = None
    threshold: float = 0.5
    predicted: Any = None
    scored: bool = True

    def __post_init__(self) -> None:
        names = tuple(str(name) for name in self.class_names)
        if len(names) < 2 or len(set(names)) != len(names):
            raise DataError(f"Class names are {', '.join(names) or 'none'}.", "Give two or more, each once.")
        if self.positive_class is not None:
            class_position(self.positive_class, names)
        values = _checked_probabilities(self.probabilities, len(names))
        count = values.shape[1]
        truth = _checked_index(self.truth, (count,), names, "True class")
        ids, patients = _checked_ids(self.ids, self.patients, count)
        made = {"class_names": names, "probabilities": values, "truth": truth, "ids": ids, "patients": patients}
        for name, value in made.items():
            object.__setattr__(self, name, value)
        if self.predicted is None:
            chosen = self._decided()
        else:
            chosen = _checked_index(np.atleast_2d(np.asarray(self.predicted)), values.shape[:2], names, "Predicted class")
        object.__setattr__(self, "predicted", chosen)

    @classmethod
    def binary(
        cls,
        labels: ArrayLike,
        probabilities: ArrayLike,
        patients: ArrayLike | None = None,
        ids: ArrayLike | None = None,
        class_names: Sequence[str] = UNNAMED,
        threshold: float = 0.5,
    ) -> Rows:
        """Rows of two classes, (negative, positive) by name.

        labels: (N,) of 0 and 1, 1 = positive; probabilities: (N,) or (S, N) of the positive class, in [0, 1].
        """
        positive = checked_labels(labels)
        values = np.atleast_2d(np.asarray(probabilities, dtype=np.float64))
        if values.ndim != 2 or values.shape[0] == 0 or values.shape[1] != positive.size:
            raise DataError(
                f"Probabilities have shape {np.shape(probabilities)}, expected ({positive.size},) or (seeds, {positive.size}).",
                "Pass one probability per labelled row.",
            )
        both = np.stack([1 - values, values], axis=2)
        names = tuple(class_names)
        return cls(positive.astype(np.intp), both, names, patients, ids, names[1], threshold)

    @property
    def is_binary(self) -> bool:
        """Whether there are two classes, one of them the positive one: then binary metrics and figures are made."""
        return self.positive_class is not None and len(self.class_names) == 2

    @property
    def positive_place(self) -> int:
        """Position of the positive class. Only where there is one."""
        return class_position(str(self.positive_class), self.class_names)

    def mean(self) -> Rows:
        """The rows with one answer each, of the mean probabilities over the S trainings."""
        if self.probabilities.shape[0] == 1:
            return self
        return replace(self, probabilities=self.probabilities.mean(axis=0), predicted=None)

    def select(self, rows: NDArray[Any]) -> Rows:
        """The given rows, in the given order; rows (n,) of numbers or (N,) bool."""
        return replace(
            self, truth=self.truth[rows], probabilities=self.probabilities[:, rows], patients=self.patients[rows],
            ids=self.ids[rows], predicted=self.predicted[:, rows],
        )  # fmt: skip

    def in_order_of(self, class_names: Sequence[str], positive_class: str | None) -> Rows:
        """The same answers with the classes in another order; unnamed ones (0 and 1) take the names of two classes.

        Raises DataError where the classes are others.
        """
        if self.class_names == UNNAMED != tuple(class_names) and len(class_names) == 2 and positive_class is not None:
            names = tuple(name for name in class_names if name != positive_class)
            return replace(self, class_names=(*names, positive_class), positive_class=positive_class).in_order_of(
                class_names, positive_class
            )
        order = [class_position(name, self.class_names) for name in class_names]
        if len(order) != len(self.class_names) or self.positive_class != positive_class:
            raise DataError(f"The classes are {self.classes_text}.", "Compare classifiers of the same classes.")
        place = np.argsort(order)
        return replace(
            self, truth=place[self.truth], probabilities=self.probabilities[..., order], predicted=place[self.predicted],
            class_names=tuple(class_names),
        )  # fmt: skip

    def _decided(self) -> NDArray[np.intp]:
        if not self.is_binary:
            return self.probabilities.argmax(axis=2)
        place = self.positive_place
        return np.where(self.probabilities[..., place] >= self.threshold, place, 1 - place).astype(np.intp)


@dataclass(frozen=True)
class MeasuredRows(_OfPatients):
    """Measures of N scans, such as the Dice of their masks.

    values: {measure: (N,)} float64, all finite; truth: (N,) positions in class_names; patients, ids: as in `Rows`.
    Raises DataError where these do not agree.
    """

    values: Mapping[str, Any]
    truth: Any
    class_names: tuple[str, ...]
    patients: Any = None
    ids: Any = None

    def __post_init__(self) -> None:
        columns = {name: np.asarray(column, np.float64) for name, column in self.values.items()}
        truth = np.asarray(self.truth)
        shapes = {name: column.shape for name, column in columns.items()}
        if truth.ndim != 1 or truth.size == 0 or any(shape != truth.shape for shape in shapes.values()):
            raise DataError(f"Measures of shapes {shapes} for {truth.shape} scans.", "Give one value a scan.")
        for name, column in columns.items():
            if not np.isfinite(column).all():
                raise DataError(f"The {name} of a scan is not a number.", "Leave scans without a mask out.")
        names = tuple(self.class_names)
        ids, patients = _checked_ids(self.ids, self.patients, truth.size)
        made = {"values": columns, "class_names": names, "ids": ids, "patients": patients}
        made["truth"] = _checked_index(truth, truth.shape, names, "True class")
        for name, value in made.items():
            object.__setattr__(self, name, value)

    def in_order_of(self, class_names: Sequence[str], positive_class: str | None = None) -> MeasuredRows:
        """The same measures with the classes in another order. Raises DataError where the classes are others."""
        place = {name: number for number, name in enumerate(class_names)}
        if set(place) != set(self.class_names):
            raise DataError(f"The classes are {self.classes_text}.", "Compare masks of scans of the same classes.")
        return replace(self, truth=[place[self.class_names[row]] for row in self.truth], class_names=tuple(class_names))

    def select(self, rows: NDArray[Any]) -> MeasuredRows:
        """The given rows, in the given order."""
        columns = {name: column[rows] for name, column in self.values.items()}
        return MeasuredRows(columns, self.truth[rows], self.class_names, self.patients[rows], self.ids[rows])


Arms = dict[str, dict[str, Rows | MeasuredRows]]


def class_position(name: str, class_names: Sequence[str]) -> int:
    """Index of a class by its name. Raises DataError naming the classes there are."""
    if name not in class_names:
        raise DataError(
            f"There is no class {name!r} among {', '.join(class_names)}.", f"Name one of them.{did_you_mean(name, class_names)}"
        )
    return list(class_names).index(name)


def checked_labels(labels: ArrayLike) -> NDArray[np.bool_]:
    """Labels (N,) of 0 and 1, any dtype, as booleans. Raises DataError when empty, not one-dimensional or not 0/1."""
    values = np.asarray(labels)
    if values.ndim != 1:
        raise DataError(f"Labels have shape {values.shape}, expected (N,).", "Pass one label per row.")
    if values.size == 0:
        raise DataError("There are no rows to evaluate.", "Check the split or the selection: it is empty.")
    if not (values.dtype == bool or np.issubdtype(values.dtype, np.number)):
        raise DataError(f"Labels are {values.dtype}, expected 0 or 1.", "Name the positive class when reading.")
    wrong = ~np.isin(values, (0, 1))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise DataError(f"Label {values[row]} in row {row} is neither 0 nor 1.", "Positive = 1, negative = 0.")
    return values.astype(bool)


def _checked_probabilities(probabilities: ArrayLike, classes: int) -> NDArray[np.float64]:
    values = np.asarray(probabilities, dtype=np.float64)
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3 or values.shape[0] == 0 or values.shape[2] != classes:
        raise DataError(
            f"Probabilities have shape {np.shape(probabilities)}, expected (N, {classes}) or (trainings, N, {classes}).",
            "Pass one column for each class, in their order.",
        )
    if values.shape[1] == 0:
        raise DataError("There are no rows to evaluate.", "Check the split or the selection: it is empty.")
    if not np.isfinite(values).all():
        seed, row = np.argwhere(~np.isfinite(values))[0, :2]
        raise DataError(
            f"A probability in row {row} (seed {seed}) is not a number.",
            "Leave failed scans out before evaluating; a NaN from a model means that its training diverged.",
        )
    if values.min() < 0 or values.max() > 1:
        raise DataError(
            f"Probabilities span {values.min():.4g} to {values.max():.4g}, outside [0, 1].",
            "Apply the sigmoid or softmax to logits first.",
        )
    sums = values.sum(axis=2)
    seed, row = np.unravel_index(int(np.argmax(np.abs(sums - 1))), sums.shape)
    if abs(sums[seed, row] - 1) > SUM_TOLERANCE:
        said = f"The probabilities of row {row} sum to {sums[seed, row]:.4g}, not 1."
        raise DataError(said, "Pass a softmax over all classes.")
    return values


def _checked_index(index: ArrayLike, shape: tuple[int, ...], names: Sequence[str], what: str) -> NDArray[np.intp]:
    values = np.asarray(index)
    if values.shape != shape:
        raise DataError(f"{what} has shape {values.shape}, expected {shape}.", "Pass one index for each row.")
    if not np.issubdtype(values.dtype, np.integer):
        raise DataError(f"{what} is {values.dtype}, expected integers.", f"Pass positions in {', '.join(names)}.")
    wrong = (values < 0) | (values >= len(names))
    if wrong.any():
        row = int(np.argwhere(wrong)[0, -1])
        raise DataError(
            f"{what} {values[..., row].flat[0]} in row {row} is outside 0 .. {len(names) - 1}.",
            f"The classes are {', '.join(names)}.",
        )
    return values.astype(np.intp)


def _checked_ids(ids: ArrayLike | None, patients: ArrayLike | None, rows: int) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    names = np.arange(rows).astype(str) if ids is None else np.asarray(ids).astype(str)
    owners = np.full(rows, "") if patients is None else np.asarray(patients).astype(str)
    if names.shape != (rows,) or owners.shape[:1] != (rows,):
        raise DataError(f"{names.size} ids, {len(owners)} patient ids for {rows} rows.", "Pass one of each for each row.")
    unique, counts = np.unique(names, return_counts=True)
    if counts.max() > 1:
        raise DataError(f"Id '{unique[counts.argmax()]}' occurs twice among the predictions.", "Make ids unique.")
    cluster_codes(owners)
    return names, owners
