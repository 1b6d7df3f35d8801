"""Bodies of requests: counted while they come, within time and memory, and never written to a disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from time import monotonic
from typing import Any

from fastapi.routing import APIRoute
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive

from pipeline.service.problems import Problem, unavailable
from pipeline.service.settings import MEGABYTE, Limits

FORM = b"multipart/form-data"
FIELDS = 32
# A part that is no file: a note, with four bytes a character.
BYTES_A_CHARACTER = 4
SMALLER = "Send less at once, or scale it down."


class Budget:
    """How many bytes of requests a worker holds at once."""

    def __init__(self, most: float) -> None:
        self.most, self.held = most, 0

    def take(self, count: int) -> None:
        """Raise Problem (503) where that is more than there is room for."""
        if self.held + count > self.most:
            raise unavailable("memory", "Too much is being sent at once.", "Try again.")
        self.held += count

    def give_back(self, count: int) -> None:
        """What was taken."""
        self.held -= count


class BoundedBody:
    """The body of one request on its way: `receive` in the place of the server's."""

    def __init__(self, receive: Receive, headers: Headers, limits: Limits, budget: Budget) -> None:
        """Raises Problem where the head of the request announces what is not taken: 413 its size, 415 a coding."""
        self._receive, self._budget = receive, budget
        self._most, self._ends, self._seconds = int(limits.request_mb * MEGABYTE), monotonic() + limits.upload_s, limits.upload_s
        self.bytes, self._whole = 0, False
        coding = headers.get("content-encoding", "identity").strip().lower()
        if coding != "identity":
            raise Problem(415, "content-encoding", "Bodies are taken as they are, not encoded.", "Leave Content-Encoding out.")
        announced = headers.get("content-length", "0")
        # Digits beyond any size are not turned into a number.
        if len(announced) > 18 or not announced.isdigit() or int(announced) > self._most:
            self._refuse_size()

    def _refuse_size(self) -> None:
        raise Problem(413, "too-large", f"More than {self._most / MEGABYTE:g} MiB were sent or announced.", SMALLER)

    async def receive(self) -> Message:
        """The next message. Raises Problem: 413 too large, 408 too slow, 503 no room."""
        if self._whole:
            return await self._receive()  # the client leaves, some time
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, self._ends - monotonic()))
        except TimeoutError as cause:
            detail = f"The request was not sent whole within {self._seconds:g} s."
            raise Problem(408, "too-slow", detail, "Send it faster, or less at once.", {"Connection": "close"}) from cause
        if message["type"] == "http.request":
            count = len(message.get("body", b""))
            if self.bytes + count > self._most:
                self._refuse_size()
            self._budget.take(count)
            self.bytes += count
            self._whole = not message.get("more_body", False)
        else:
            self._whole = True
        return message

    def forget(self) -> None:
        """It was answered."""
        self._budget.give_back(self.bytes)
        self.bytes = 0


class _InMemoryParser(MultiPartParser):
    """starlette's, which would write a file of a megabyte to a temporary one."""

    def __init__(self, headers: Headers, stream: AsyncGenerator[bytes, None], limits: Limits) -> None:
        part = min(int(limits.note_characters * BYTES_A_CHARACTER), int(limits.request_mb * MEGABYTE))
        super().__init__(headers, stream, max_files=limits.files, max_fields=FIELDS, max_part_size=part)
        self.spool_max_size = int(limits.request_mb * MEGABYTE) + 1
        self._limits, self._sizes = limits, dict[int, int]()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        part = self._current_part
        if part.file is not None:
            self._sizes[id(part)] = size = self._sizes.get(id(part), 0) + end - start
            if size > self._limits.file_mb * MEGABYTE:
                raise Problem(413, "too-large", f"A file of more than {self._limits.file_mb:g} MiB.", SMALLER)
        elif len(part.data) + end - start > self.max_part_size:
            raise Problem(413, "too-large", f"A field of more than {self.max_part_size:,} bytes.", "Send less.")
        super().on_part_data(data, start, end)

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        self._sizes[id(self._current_part)] = 0


class BoundedRequest(Request):
    """A request whose form is read in memory."""

    async def _get_form(self, **_: Any) -> FormData:
        if self._form is None:
            limits: Limits = self.app.state.settings.limits
            kind, _options = parse_options_header(self.headers.get("content-type"))
            if kind != FORM:
                raise Problem(415, "no-form", "The body is no multipart/form-data.", "Send a form: curl -F file=@scan.png …")
            try:
                self._form = await _InMemoryParser(self.headers, self.stream(), limits).parse()
            except MultiPartException as fault:
                if fault.message.startswith("Too many"):
                    detail = f"More than {limits.files} files or {FIELDS} fields."
                    raise Problem(413, "too-many", detail, "Send them in several requests.") from fault
                raise Problem(400, "broken-form", "The form cannot be read.", "Send it as multipart/form-data.") from fault
        return self._form


class FormRoute(APIRoute):
    """A route that reads its form in memory."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            try:
                return await answer(BoundedRequest(request.scope, request.receive))
            except HTTPException as fault:
                if isinstance(fault, Problem) or fault.status_code != 400:
                    raise
                raise Problem(400, "broken-form", "The form cannot be read.", "Send it as multipart/form-data.") from fault

        return bounded
