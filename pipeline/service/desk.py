"""Where requests are answered: few at once, few in wait, and a refusal at once for whoever comes beyond."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Event, Lock
from time import monotonic
from typing import Any, TypeVar

from pipeline.service.problems import unavailable

Result = TypeVar("Result")
# Of a new answer's time in the mean that Retry-After is told from.
_WEIGHT = 0.2


class CancelledWorkError(Exception):
    """Nobody waits for it any more."""


class Ticket:
    """One request's work, as its thread sees it."""

    def __init__(self) -> None:
        self._cancelled = Event()

    def cancel(self) -> None:
        """Nobody waits for it any more."""
        self._cancelled.set()

    def proceed(self) -> None:
        """Called between the steps of long work. Raises CancelledWorkError where nobody waits any more."""
        if self._cancelled.is_set():
            raise CancelledWorkError


class Desk:
    """Threads that answer, and a bounded wait before them. `admit` and `ask` are for the event loop's thread alone."""

    def __init__(self, answering: int, waiting: int, deadline_s: float) -> None:
        self.places, self.deadline_s = answering + waiting, deadline_s
        self.taken = 0
        self.mean_s = 0.1
        self._answering, self._lock = answering, Lock()
        self._threads = ThreadPoolExecutor(answering, thread_name_prefix="answer")

    def admit(self) -> None:
        """Raise Problem (503, Retry-After) where every place is taken."""
        if self.taken >= self.places:
            after = math.ceil(self.mean_s * self.taken / self._answering)
            raise unavailable("busy", "All places are taken.", "Try again after the seconds that Retry-After tells.", after)

    async def ask(self, work: Callable[[Ticket], Result], gone: Callable[[], Awaitable[None]]) -> Result:
        """What `work` gives. gone: returns when the client has left; what nobody waits for is not begun, or ended early.

        Raises what `work` raises, and Problem where every place is taken or the deadline has passed.
        """
        self.admit()
        ticket, context = Ticket(), copy_context()

        def answered() -> Result:
            ticket.proceed()
            began = monotonic()
            try:
                return context.run(work, ticket)
            finally:
                self.mean_s += _WEIGHT * (monotonic() - began - self.mean_s)

        self._count(1)
        future = self._threads.submit(answered)
        future.add_done_callback(lambda _: self._count(-1))
        answer = asyncio.wrap_future(future)
        left = asyncio.ensure_future(gone())
        try:
            both: set[asyncio.Future[Any]] = {answer, left}
            await asyncio.wait(both, timeout=self.deadline_s, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            if left.done():
                raise unavailable("client-left", "The client has left.", "")
            raise unavailable("deadline", f"No answer within {self.deadline_s:g} s.", "Try again later, or send less at once.")
        finally:
            left.cancel()
            if not answer.done():
                ticket.cancel()
                answer.cancel()

    def _count(self, change: int) -> None:
        with self._lock:
            self.taken += change

    def close(self) -> None:
        """Wait for what is being answered."""
        self._threads.shutdown(wait=True, cancel_futures=True)
