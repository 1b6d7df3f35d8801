"""Runs of one graph that are asked for while it computes are computed together next: dynamic batching, without any wait."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Event, Lock

import numpy as np

from pipeline.engine.arrays import Array
from pipeline.engine.errors import CorruptArtifactError

Compute = Callable[[Mapping[str, Array], Sequence[str]], list[Array]]


class _Asked:
    """One run, and the thread that waits for it: until it has its answer, or is the one to compute next."""

    def __init__(self, feeds: Mapping[str, Array], outputs: Sequence[str]) -> None:
        self.feeds, self.outputs = feeds, tuple(outputs)
        self.kind = self.outputs, tuple((name, feed.shape[1:], feed.dtype.str) for name, feed in sorted(feeds.items()))
        self.told, self.done, self.answer = Event(), False, list[Array]()
        self.fault: Exception | None = None


class Coalescer:
    """Safe to use from several threads; each computes at most once, for itself and whoever waits beside it."""

    def __init__(self, compute: Compute, most: int) -> None:
        """compute: of one batch, first axis first. most: runs that are computed together."""
        self._compute, self._most = compute, most
        self._lock, self._waiting, self._busy = Lock(), list[_Asked](), False
        self.largest = 0

    def run(self, feeds: Mapping[str, Array], outputs: Sequence[str]) -> list[Array]:
        """`compute` of feeds whose first axis is 1. Raises as it does."""
        asked = _Asked(feeds, outputs)
        with self._lock:
            self._waiting.append(asked)
            leads, self._busy = not self._busy, True
        if not leads:
            asked.told.wait()
        if not asked.done:
            self._lead(asked)
        if asked.fault is not None:
            raise asked.fault
        return asked.answer

    def _lead(self, asked: _Asked) -> None:
        """Compute this and what is like it, and hand on to the first that still waits."""
        with self._lock:
            together = [asked, *(each for each in self._waiting if each is not asked and each.kind == asked.kind)][: self._most]
            self._waiting = [each for each in self._waiting if each not in together]
        try:
            self._answer(together)
        finally:
            with self._lock:
                self._busy = bool(self._waiting)
                following = self._waiting[0] if self._waiting else None
            for each in together:
                each.done = True
                each.told.set()
            if following is not None:
                following.told.set()

    def _answer(self, together: Sequence[_Asked]) -> None:
        """Give each its answer or its fault, which is raised in the thread that asked, whatever it is."""
        self.largest = max(self.largest, len(together))
        try:
            if len(together) > 1 and self._answer_at_once(together):
                return
        except Exception as bug:
            for each in together:
                each.fault = bug
            return
        for each in together:
            try:
                each.answer = self._compute(each.feeds, each.outputs)
            except Exception as fault:
                each.fault = fault

    def _answer_at_once(self, together: Sequence[_Asked]) -> bool:
        """Whether one batch answered all. Where the graph cannot compute it, each alone shows whose fault it is."""
        first = together[0]
        feeds = {name: np.concatenate([each.feeds[name] for each in together]) for name in first.feeds}
        try:
            found = self._compute(feeds, first.outputs)
        except CorruptArtifactError:
            return False
        if any(len(output) != len(together) for output in found):
            return False
        for place, each in enumerate(together):
            each.answer = [output[place : place + 1] for output in found]
        return True
