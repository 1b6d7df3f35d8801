"""Batches made ahead: the next one is read and changed in a thread while the network learns from this one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Batch = TypeVar("Batch")


def prefetched(make: Callable[[int], Batch], count: int) -> Iterator[Batch]:
    """``make(0)`` to ``make(count − 1)`` in this order, each begun when the one before it is taken.

    What ``make`` raises is raised where its batch would have come.
    """
    if count < 1:
        return
    with ThreadPoolExecutor(1) as maker:
        upcoming = maker.submit(make, 0)
        for place in range(1, count + 1):
            ready = upcoming.result()
            if place < count:
                upcoming = maker.submit(make, place)
            yield ready
