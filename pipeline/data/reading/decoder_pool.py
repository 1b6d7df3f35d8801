"""Files decoded in processes of their own, for folders, tables and services: what breaks a decoder costs one file."""

from __future__ import annotations

import atexit
import os
import threading
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from pipeline.data.reading.assumptions import ReadScan
from pipeline.data.reading.bounds import Bounds
from pipeline.data.reading.processes.decoder_process import DecoderProcess, Limits, NotStartedError
from pipeline.data.reading.processes.decoder_service import Request
from pipeline.data.reading.scan_reader import decode_upload, read_scan_here
from pipeline.engine.errors import DataError, PipelineError

READ_AHEAD = 16
# So many files are asked for at once: a worker does not wait for this process between them.
BATCH = 4


class NoDecoderError(PipelineError):
    """No process starts in which an upload could be decoded."""


class DecoderPool:
    """At most `workers` processes, started when they are needed and again after a crash; safe to use from threads.

    Used as a context, or closed by `close`; otherwise at the end of the program. Workers end with this process, however
    it ends.
    """

    def __init__(self, workers: int = 2, limits: Limits | None = None) -> None:
        self.workers = max(1, workers)
        self.limits = limits or Limits()
        self._free = threading.Semaphore(self.workers)
        self._idle: deque[DecoderProcess] = deque()
        self._closed = False
        atexit.register(self.close)

    def __enter__(self) -> DecoderPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def grow(self, workers: int) -> None:
        """Allow for at least so many processes."""
        for _ in range(self.workers, workers):
            self._free.release()
        self.workers = max(self.workers, workers)

    def read(self, path: Path | str, *, slice: int | str | None = None, with_colour: bool = True) -> ReadScan:
        """`read_scan`. Raises DataError as it does, and for a file over which the decoder crashed, hung or ran out of memory."""
        return _given(self._ask([self._request(path, slice, with_colour)])[0])

    def decode(
        self, data: bytes, name: str, *, with_colour: bool = True, bounds: Bounds | None = None, slice: int | str | None = None
    ) -> ReadScan:  # fmt: skip
        """`decode_scan`, or `decode_slice` of a volume and where a slice is named, with the errors of `read`.

        bounds: of an upload, kept as `refuse_beyond` does. It is decoded in a process of its own or not at all: raises
        NoDecoderError where none starts.
        """
        request = Request(name, data, slice, with_colour, self.limits.allowed(len(data)), bounds=bounds)
        return _given(self._ask([request])[0])

    def read_in_order(
        self, paths: Iterable[Path | str], *, with_colour: bool = True, workers: int | None = None
    ) -> Iterator[ReadScan | DataError]:
        """Many files in their order, read ahead by at most `READ_AHEAD` and a batch; one that cannot be read is its DataError.

        Memory does not grow with the number of files.
        """
        executor = ThreadPoolExecutor(min(workers or self.workers, self.workers), thread_name_prefix="decoder")
        pending: deque[Future[list[ReadScan | PipelineError]]] = deque()
        coming = iter(paths)
        try:
            while batch := list(islice(coming, BATCH)):
                pending.append(executor.submit(self._ask_for, batch, with_colour))
                if len(pending) > READ_AHEAD // BATCH:
                    yield from map(_given_or_data_error, pending.popleft().result())
            while pending:
                yield from map(_given_or_data_error, pending.popleft().result())
        finally:
            executor.shutdown(wait=True, cancel_futures=True)

    def close(self) -> None:
        """End the workers that are idle; those that are busy end when their file is read."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()
        atexit.unregister(self.close)

    def _request(self, path: Path | str, slice: int | str | None, with_colour: bool) -> Request:
        try:
            size = os.path.getsize(path)
        except (OSError, ValueError):
            size = 0
        folder = "" if os.path.isabs(path) else os.getcwd()
        return Request(str(path), None, slice, with_colour, self.limits.allowed(size), folder)

    def _ask_for(self, paths: Sequence[Path | str], with_colour: bool) -> list[ReadScan | PipelineError]:
        return self._ask([self._request(path, None, with_colour) for path in paths])

    def _ask(self, requests: Sequence[Request]) -> list[ReadScan | PipelineError]:
        """A reply to each; those behind a file over which a worker ended go to the next worker."""
        replies: list[ReadScan | PipelineError] = []
        while len(replies) < len(requests):
            with self._free:
                try:
                    worker = self._worker()
                except NotStartedError as cause:
                    told = f"No process for decoding starts ({cause})"
                    if any(request.bounds is not None for request in requests):
                        raise NoDecoderError(f"{told}.", "Free memory and processes.") from cause
                    warnings.warn(f"{told}: files are read in this one.", stacklevel=2)
                    return replies + [_read_here(request) for request in requests[len(replies) :]]
                try:
                    replies += worker.ask(requests[len(replies) :])
                except BaseException:
                    worker.close(at_once=True)
                    raise
                if self._closed or not worker.runs:
                    worker.close()
                else:
                    self._idle.append(worker)
        return replies

    def _worker(self) -> DecoderProcess:
        """One that is idle and has not ended meanwhile, else a new one."""
        while True:
            try:
                worker = self._idle.pop()
            except IndexError:
                return DecoderProcess(self.limits)
            if worker.runs:
                return worker
            worker.close()


def shared_pool(workers: int = 2) -> DecoderPool:
    """The pool of this process, with room for `workers`; it stays warm until the program ends."""
    global _shared
    with _shared_lock:
        # A forked process has the pipes of its parent's workers, not their answers.
        if _shared is None or _shared[0] != os.getpid():
            _shared = os.getpid(), DecoderPool(workers)
        _shared[1].grow(workers)
        return _shared[1]


_shared: tuple[int, DecoderPool] | None = None
_shared_lock = threading.Lock()


def _read_here(request: Request) -> ReadScan | PipelineError:
    try:
        if request.data is not None:
            return decode_upload(request.data, request.path, request.slice, request.with_colour)
        return read_scan_here(request.path, request.slice, request.with_colour)
    except PipelineError as error:
        return error


def _given(reply: ReadScan | PipelineError) -> ReadScan:
    if isinstance(reply, PipelineError):
        raise reply
    return reply


def _given_or_data_error(reply: ReadScan | PipelineError) -> ReadScan | DataError:
    return reply if isinstance(reply, DataError) else _given(reply)
