"""What every fit has in common: a history by epoch, the best epoch's weights, patience, and the state against a kill."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from pipeline.training.epoch_state import EpochState


@dataclass
class FitHistory:
    """Numbers by name, one an epoch (losses, validation scores, whatever the fit measures); and the epoch that was kept."""

    epochs: dict[str, list[float]] = field(default_factory=dict)
    best_epoch: int = 0

    def append(self, numbers: dict[str, float]) -> None:
        for name, number in numbers.items():
            self.epochs.setdefault(name, []).append(float(number))

    def as_json(self) -> dict:
        return {"best_epoch": self.best_epoch, **self.epochs}


class KeptEpoch:
    """The course of one training.

        kept = KeptEpoch(network, "val_auc", patience=10, state=EpochState(path, [network, optimizer]))
        for epoch in kept.epochs(100):
            ...one pass over the training rows...
            kept.judge(epoch, {"loss": loss, "val_auc": auc})
            kept.save()
        kept.give_back(network)

    Args:
        network: whose weights are kept.
        monitor: which number chooses the epoch; one that ends in ``loss`` is better where it is less. A number that is
            none (NaN) chooses nothing. None: the last epoch is the kept one.
        patience: epochs without a better one after which the training ends; None: never.
        state: where the training is kept against a kill; what is there is gone on from. None keeps nothing.

    ``more`` is what the state held beside this (``save(**more)``), empty at a training's beginning.
    """

    def __init__(
        self, network: keras.Model, monitor: str | None, patience: int | None = None, state: EpochState | None = None
    ) -> None:
        self.history = FitHistory()
        self.more: dict[str, Any] = {}
        self._network, self._monitor, self._patience, self._state = network, monitor, patience, state
        self._best: list[np.ndarray] | None = None
        self._waiting, self._last = 0, -1
        if state is not None and (restored := state.restore()) is not None:
            progress, self._best = restored
            self.history = FitHistory(progress.pop("history"), progress.pop("best_epoch"))
            self._waiting, self._last = progress.pop("waiting"), progress.pop("epoch")
            self.more = progress

    def epochs(self, count: int) -> Iterator[int]:
        """The numbers of the epochs that are still to be run, of ``count`` in all."""
        for epoch in range(self._last + 1, count):
            if self._patience is not None and self._waiting >= self._patience:
                return
            yield epoch

    def judge(self, epoch: int, numbers: dict[str, float]) -> bool:
        """Take an epoch's numbers into the history, and its weights where it is the best so far; returns whether it is."""
        self.history.append(numbers)
        self._last = epoch
        if self._monitor is None:
            self.history.best_epoch = epoch
            return True
        course = self.history.epochs[self._monitor]
        score, best = course[-1], course[self.history.best_epoch]
        better = score < best if self._monitor.endswith("loss") else score > best
        if math.isnan(score) or not (self._best is None or better):
            self._waiting += 1
            return False
        self.history.best_epoch, self._waiting = epoch, 0
        self._best = [np.asarray(variable.value) for variable in self._network.variables]
        return True

    def save(self, **more: Any) -> None:
        """Keep the training against a kill; ``more`` is JSON that comes back as ``more``."""
        if self._state is not None:
            own = {"epoch": self._last, "waiting": self._waiting, "best_epoch": self.history.best_epoch}
            self._state.save({**own, "history": self.history.epochs, **more}, self._best)

    def give_back(self, network: keras.Model) -> bool:
        """Give a network the best epoch's weights, and its random states; returns whether there is such an epoch."""
        if self._best is not None:
            assign(network.variables, self._best)
        return self._best is not None

    def begin_anew(self) -> None:
        """Go on from the best weights so far; what comes next is measured against itself alone."""
        self.give_back(self._network)
        self._best = None


def assign(variables: Sequence[keras.Variable], values: Iterable) -> None:
    """Give variables their values, one by one. Raises ValueError where there are not as many."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
