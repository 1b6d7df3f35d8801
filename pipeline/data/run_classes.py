"""The classes that a run's networks tell apart, and the number by which each is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.data.words import folded
from pipeline.engine.errors import DataError

GROUPING = "Bring the labels together with s01.data.labels, or leave the other modality out: s01.data.modalities."


@dataclass(frozen=True)
class RunClasses:
    """Two classes, one of them the positive one, or more.

    names: by their number; of two (negative, positive). positive: None only of three or more.
    """

    names: tuple[str, ...]
    positive: str | None

    @classmethod
    def of(cls, dataset: Mapping[str, Any]) -> RunClasses:
        """As ``dataset.json`` of s01 says.

        Raises DataError for one class, names that differ only in case and blanks, or two classes of which none is positive.
        """
        names, positive = tuple(dataset["class_names"]), dataset.get("positive_class")
        spelt: dict[str, str] = {}
        for name in names:
            if (first := spelt.setdefault(folded(name), name)) != name:
                raise DataError(f"Classes {first!r} and {name!r} differ only in case or blanks.", "Name them alike, or apart.")
        if len(names) < 2:
            raise DataError(f"The data hold the class {', '.join(names) or 'none'} alone.", "Two classes or more are needed.")
        if len(names) > 2:
            return cls(names, positive)
        if positive not in names:
            raise DataError(f"None of {' and '.join(names)} is the positive class.", f"Name it: s01.positive_class: {names[0]}.")
        return cls((names[1 - names.index(positive)], positive), positive)

    def __len__(self) -> int:
        return len(self.names)

    def numbers(self, labels: Sequence[str] | NDArray) -> NDArray[np.int8]:
        """The number of each label's class, ``(N,)``. Raises KeyError for another label."""
        place = {name: number for number, name in enumerate(self.names)}
        return np.array([place[str(label)] for label in labels], np.int8)

    def shares(self, probabilities: ArrayLike) -> NDArray[np.float64]:
        """Probability of every class ``(…, N, K)``: of two from that of the positive one ``(…, N)``, else as given."""
        values = np.asarray(probabilities, np.float64)
        return np.stack([1 - values, values], axis=-1) if len(self) == 2 else values

    @property
    def words(self) -> str:
        """The classes in words, the positive one of two marked."""
        return ", ".join(f"{name} (positive)" if name == self.positive and len(self) == 2 else name for name in self.names)


def answer_width(classes: int) -> int:
    """Logits of a network that tells so many classes apart: one, of the positive class, for two."""
    return 1 if classes == 2 else classes
