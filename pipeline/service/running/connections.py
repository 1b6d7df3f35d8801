"""Connections that end where nothing comes of them: a client cannot hold one by sending nothing, or a little at a time."""

from __future__ import annotations

from asyncio import BaseTransport, TimerHandle

from uvicorn.protocols.http.h11_impl import H11Protocol

# Within so many seconds of connecting, or of the answer before, the head of a request has to be there whole; so has what is left
# of a body that was refused unread.
HEAD_S = 30.0


class Connection(H11Protocol):
    """uvicorn's connection, which would wait for ever for the first request, and for the rest of one."""

    _end: TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._await_head()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._forget()
        self._end = self.loop.call_later(HEAD_S, self._end_unasked)

    def _forget(self) -> None:
        if self._end is not None:
            self._end.cancel()

    def _end_unasked(self) -> None:
        # What is being answered has limits of its own.
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
