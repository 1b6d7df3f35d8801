"""The classes that a run's networks tell apart, and the number by which each is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.data.class_names import refuse_alike_names
from pipeline.engine.errors import DataError


@dataclass(frozen=True)
class RunClasses:
    """Two classes, one of them the positive one, or more.

    names: by their number; of two (negative, positive). positive: None of three or more, which are on a par.
    """

    names: tuple[str, ...]
    positive: str | None

    @classmethod
    def of(cls, dataset: Mapping[str, Any]) -> RunClasses:
        """As ``dataset.json`` of s01 says.

        Raises DataError for one class, names that are alike (`refuse_alike_names`), or two classes of which none is positive.
        """
        names, positive = tuple(dataset["class_names"]), dataset.get("positive_class")
        refuse_alike_names(names)
        if len(names) < 2:
            raise DataError(f"The data hold the class {', '.join(names) or 'none'} alone.", "Two classes or more are needed.")
        if len(names) > 2:
            return cls(names, None)
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


def answer_width(classes: int) -> int:
    """Logits of a network that tells so many classes apart: one, of the positive class, for two."""
    return 1 if classes == 2 else classes
