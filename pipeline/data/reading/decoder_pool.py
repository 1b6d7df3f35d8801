"""Files decoded in processes of their own, for folders, tables and services: what breaks a decoder costs one file."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pipeline.data.reading.assumptions import ReadScan
from pipeline.data.reading.decoder_worker import Request, receive_frame, send_frame
from pipeline.data.reading.scan_reader import decode_scan, read_scan_here
from pipeline.engine.errors import DataError, PipelineError

READ_AHEAD = 16
_REMEDY = "Export the file again, or leave it out."
_ROOT = Path(__file__).resolve().parents[3]
_STARTUP = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from pipeline.data.reading.decoder_worker import serve; serve(int(sys.argv[2]))"
)
_ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
_SECONDS_TO_START, _SECONDS_TO_END = 60.0, 2.0
_SET_PIPE_SIZE, _PIPE_SIZE = 1031, 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may take.

    `seconds` of processor time for each `bytes_a_turn` of the file begun (a bomb is small, a large scan is not), and five
    times that on the clock, for a decoder that waits; where the system cannot tell processor time (Windows) the clock
    counts alone. `memory_mb`: what a worker may take beyond itself, where the system limits it.
    """

    seconds: float = 2.0
    memory_mb: int = 4096
    bytes_a_turn: int = 4 << 20
    clock: float = 5.0

    def allowed(self, size: int) -> float:
        """Seconds for a file of `size` bytes."""
        return self.seconds * max(1.0, size / self.bytes_a_turn)


class DecoderPool:
    """At most `workers` processes, started when they are needed and again after a crash; safe to use from threads.

    Used as a context, or closed by `close`; otherwise at the end of the program. Workers end with this process, however
    it ends.
    """

    def __init__(self, workers: int = 2, limits: Limits | None = None) -> None:
        self.workers = max(1, workers)
        self.limits = limits or Limits()
        self._free = threading.Semaphore(self.workers)
        self._idle: deque[_Worker] = deque()
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
        try:
            size = os.path.getsize(path)
        except (OSError, ValueError):
            size = 0
        return self._ask(Request(str(path), None, slice, with_colour, self.limits.allowed(size)))

    def decode(self, data: bytes, name: str, *, with_colour: bool = True) -> ReadScan:
        """`decode_scan`, with the errors of `read`."""
        return self._ask(Request(name, data, None, with_colour, self.limits.allowed(len(data))))

    def read_in_order(
        self, paths: Iterable[Path | str], *, with_colour: bool = True, workers: int | None = None
    ) -> Iterator[ReadScan | DataError]:
        """Many files in their order, read ahead by at most `READ_AHEAD`; one that cannot be read is its DataError.

        Memory does not grow with the number of files.
        """
        executor = ThreadPoolExecutor(min(workers or self.workers, self.workers), thread_name_prefix="decoder")
        pending: deque[Future[ReadScan | DataError]] = deque()
        try:
            for path in paths:
                pending.append(executor.submit(self._read_or_error, path, with_colour))
                if len(pending) > READ_AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            executor.shutdown(wait=True, cancel_futures=True)

    def close(self) -> None:
        """End the workers that are idle; those that are busy end when their file is read."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()
        atexit.unregister(self.close)

    def _worker(self) -> _Worker:
        try:
            return self._idle.pop()
        except IndexError:
            return _Worker(self.limits)

    def _read_or_error(self, path: Path | str, with_colour: bool) -> ReadScan | DataError:
        try:
            return self.read(path, with_colour=with_colour)
        except DataError as error:
            return error

    def _ask(self, request: Request) -> ReadScan:
        with self._free:
            try:
                worker = self._worker()
            except _NotStartedError as cause:
                warnings.warn(f"No process for decoding starts ({cause}): files are read in this one.", stacklevel=2)
                return _read_here(request)
            try:
                reply = worker.ask(request)
            except BaseException:
                worker.close(at_once=True)
                raise
            if self._closed:
                worker.close()
            else:
                self._idle.append(worker)
        if isinstance(reply, PipelineError):
            raise reply
        return reply


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


class _NotStartedError(Exception):
    pass


class _Worker:
    """One process, one request at a time."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        command = [sys.executable, "-P", "-c", _STARTUP, str(_ROOT), str(limits.memory_mb)]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
                env={**os.environ, **_ONE_THREAD},
            )  # fmt: skip
        except OSError as cause:
            raise _NotStartedError(cause) from cause
        _widen(self._process.stdout)
        try:
            with self._ended_after(_SECONDS_TO_START):
                receive_frame(self._process.stdout.readinto)
        except EOFError as cause:
            self.close(at_once=True)
            raise _NotStartedError(f"it ended with {self._process.returncode}") from cause

    def ask(self, request: Request) -> ReadScan | PipelineError:
        """The worker's reply. Raises DataError where it ends over the file."""
        clock = self._ended_after(request.seconds * self._limits.clock)
        try:
            with clock:
                send_frame(self._process.stdin.write, request)
                return receive_frame(self._process.stdout.readinto)
        except (EOFError, BrokenPipeError, ConnectionError) as cause:
            self._process.wait()
            raise DataError(f"{request.path}: {self._finding(request, clock.fired)}.", _REMEDY) from cause

    def close(self, at_once: bool = False) -> None:
        """End the process and wait for it, so that no zombie stays."""
        if at_once:
            self._process.kill()
        self._process.stdin.close()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _finding(self, request: Request, by_clock: bool) -> str:
        code = self._process.returncode
        if code == -getattr(signal, "SIGPROF", 0):
            return f"reading it took over {request.seconds:g} s of processor time"
        if by_clock:
            return f"reading it took over {request.seconds * self._limits.clock:g} s"
        try:
            told = signal.Signals(-code).name
        except ValueError:
            told = f"exit code {code}"
        return f"its decoder crashed over it ({told})"

    def _ended_after(self, seconds: float) -> _Clock:
        return _Clock(self._process, seconds)


class _Clock:
    """Ends a process that is still busy after so many seconds."""

    def __init__(self, process: subprocess.Popen, seconds: float) -> None:
        self.fired = False
        self._process = process
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _end(self) -> None:
        self.fired = True
        self._process.kill()


def _read_here(request: Request) -> ReadScan:
    if request.data is not None:
        return decode_scan(request.data, request.path, with_colour=request.with_colour)
    return read_scan_here(request.path, request.slice, request.with_colour)


def _widen(pipe: object) -> None:
    """A larger pipe wakes both ends less often (Linux)."""
    try:
        import fcntl

        fcntl.fcntl(pipe, _SET_PIPE_SIZE, _PIPE_SIZE)
    except (ImportError, OSError):
        return
