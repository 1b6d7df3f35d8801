"""Turns at the cores: so many at the same time, and in the order in which they were asked for."""

from __future__ import annotations

from collections import deque
from threading import Lock


class Turns:
    """A context for threads. A semaphore of the library would let whoever asks again at once go before those that wait."""

    def __init__(self, most: int) -> None:
        """most: how many threads have their turn at the same time."""
        self._free, self._lock, self._waiting = most, Lock(), deque[Lock]()

    def __enter__(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            mine = Lock()
            mine.acquire()
            self._waiting.append(mine)
        mine.acquire()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1
