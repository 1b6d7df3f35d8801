"""What one worker answers with: its models, the processes that decode, and the desk that requests wait at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from starlette.requests import Request
from starlette.types import Message

from pipeline.data.reading.assumptions import ReadScan
from pipeline.inference.pictures import png_bytes
from pipeline.inference.sessions import compute_with
from pipeline.service.desk import Desk, Ticket
from pipeline.service.models import Models, open_models, warm_picture
from pipeline.service.problems import unavailable
from pipeline.service.running import logs, memory, metrics
from pipeline.service.scans import Decoders
from pipeline.service.settings import ServiceSettings

Result = TypeVar("Result")


class Upload(NamedTuple):
    """A file's bytes, what messages call it, and of a volume which slice: a number from 1 on, or "largest-lung"."""

    content: bytes
    called: str
    slice: str | None = None


class Service:
    """Made at once; `begin` brings the models. failure: why they cannot be opened, where they cannot."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self.desk = Desk(settings.answering, settings.waiting, settings.limits.deadline_s)
        self.decoders = Decoders(settings.answering, settings.limits)
        self.failure: Exception | None = None
        self.stopping = False
        self._models: Models | None = None
        self._beside = ThreadPoolExecutor(2 * settings.answering, thread_name_prefix="decode")

    @property
    def ready(self) -> bool:
        """Whether the models are verified and warm, and it is not about to stop."""
        return self._models is not None and not self.stopping

    @property
    def models(self) -> Models:
        """Raises Problem (503) before they are there."""
        if self._models is None:
            raise unavailable("starting", "The models are not opened yet.", "Ask /ready.")
        return self._models

    def begin(self, failed: Callable[[], None]) -> threading.Thread:
        """Open the models in a thread. failed: called where that cannot be done, with the reason in `failure`."""

        def opening() -> None:
            try:
                compute_with(self.settings.graph_threads, self.settings.answering, self.settings.graphs_at_once)
                # One file for each, at once, so that every process is started.
                picture = png_bytes(warm_picture())
                warming = [self._beside.submit(self.decoders.warm, picture) for _ in range(self.settings.answering)]
                models = open_models(self.settings.bundles, self.settings.device)
                for decoder in warming:
                    decoder.result()
                memory.give_back()
                logs.tell("ready", bundles=list(models.by_name))
                self._models = models
            except Exception as error:  # in a thread of its own nobody else would hear of it, and it would never be ready
                self.failure = error
                logs.tell_bug("not ready", error)
                failed()

        thread = threading.Thread(target=opening, name="opening", daemon=True)
        thread.start()
        return thread

    async def ask(self, request: Request, work: Callable[[Ticket], Result]) -> Result:
        """`Desk.ask` for a request whose body has been read. Raises Problem where the models are not there yet."""
        _ = self.models

        async def gone() -> None:
            message: Message = {"type": ""}
            while message["type"] != "http.disconnect":
                message = await request.receive()

        metrics.TAKEN.inc()
        try:
            return await self.desk.ask(work, gone)
        finally:
            metrics.TAKEN.dec()

    def begin_reading(self, upload: Upload) -> Future[ReadScan]:
        """An upload's scan, decoded meanwhile. It raises DataError where it cannot be read."""
        return self._beside.submit(self.decoders.read, *upload)

    def read(self, uploads: Mapping[str, Upload]) -> dict[str, Any]:
        """The scans of a case by door, decoded beside each other. Raises DataError for the first that cannot be read."""
        if len(uploads) == 1:
            return {door: self.decoders.read(*upload) for door, upload in uploads.items()}
        reading = {door: self.begin_reading(upload) for door, upload in uploads.items()}
        return {door: future.result() for door, future in reading.items()}

    def close(self) -> None:
        """Finish what was taken, and end the processes."""
        self.stopping = True
        self.desk.close()
        self._beside.shutdown(wait=True, cancel_futures=True)
        self.decoders.close()


def service_of(request: Request) -> Service:
    """The service that a request came to."""
    found: Service = request.app.state.service
    return found
