"""How often one client may come: a bucket of tokens each, and no more buckets than memory has room for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

CLIENTS = 10_000


class Rate:
    """At most so many a minute for each client, as many at once. 0: any number. For the event loop's thread alone."""

    def __init__(self, a_minute: float, clients: int = CLIENTS, clock: Callable[[], float] = monotonic) -> None:
        self._most, self._each_s, self._clients, self._clock = max(1.0, a_minute), a_minute / 60, clients, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, client: str) -> float:
        """Take a token: 0 where there is one, else the seconds until there is; the client that came least lately is forgotten."""
        if not self._each_s:
            return 0.0
        tokens = self.tokens(client)
        self._buckets[client] = (max(0.0, tokens - 1) if tokens >= 1 else tokens, self._clock())
        self._buckets.move_to_end(client)
        while len(self._buckets) > self._clients:
            self._buckets.popitem(last=False)
        return 0.0 if tokens >= 1 else (1 - tokens) / self._each_s

    def tokens(self, client: str) -> float:
        """How many it has."""
        left, since = self._buckets.get(client, (self._most, self._clock()))
        return min(self._most, left + (self._clock() - since) * self._each_s)
