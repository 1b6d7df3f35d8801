"""One process that decodes: started, asked, ended over a file that takes too much, and waited for."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pipeline.data.reading.assumptions import ReadScan
from pipeline.data.reading.processes.decoder_service import Request, receive_frame, scan_of, send_frame
from pipeline.engine.errors import DataError, PipelineError

_REMEDY = "Export the file again, or leave it out."
_ROOT = Path(__file__).resolve().parents[4]
STARTUP = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from pipeline.data.reading.processes.decoder_service import serve; serve(int(sys.argv[2]))"
)
_ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
_SECONDS_TO_START, _SECONDS_TO_END = 60.0, 2.0
_SET_PIPE_SIZE, _PIPE_SIZE = 1031, 1 << 20
# Windows has pipes that may not hold what a worker has not read yet: there the next request follows the last reply.
_ASKED_AHEAD = 1 if sys.platform == "win32" else sys.maxsize


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


class NotStartedError(Exception):
    """The system starts no process, or it ends before it is asked anything."""


class DecoderProcess:
    """One process, one request at a time."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        command = [sys.executable, "-P", "-c", STARTUP, str(_ROOT), str(limits.memory_mb)]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
                env={**os.environ, **_ONE_THREAD},
            )  # fmt: skip
        except OSError as cause:
            raise NotStartedError(cause) from cause
        _widen(self._process.stdout)
        try:
            with _Clock(self._process, _SECONDS_TO_START):
                receive_frame(self._process.stdout.readinto)
        except EOFError as cause:
            self.close(at_once=True)
            raise NotStartedError(f"it ended with {self._process.returncode}") from cause

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def ask(self, requests: Sequence[Request]) -> list[ReadScan | PipelineError]:
        """The replies. Where the process ends over a file, that file's DataError is the last of them."""
        replies: list[ReadScan | PipelineError] = []
        clock, coming = None, iter(requests)
        try:
            # All at once: the worker need not wait for this process between two files.
            for request in islice(coming, _ASKED_AHEAD):
                send_frame(self._process.stdin.write, request)
            for request in requests:
                clock = _Clock(self._process, request.seconds * self._limits.clock)
                with clock:
                    reply = receive_frame(self._process.stdout.readinto)
                replies.append(scan_of(reply) if isinstance(reply, tuple) else reply)
                for following in islice(coming, 1):
                    send_frame(self._process.stdin.write, following)
        except (EOFError, OSError):
            # Its end of a pipe is closed; Windows says so by another error than others.
            self._process.kill()
            self._process.wait()
            failed = requests[len(replies)]
            return [*replies, DataError(f"{failed.path}: {self._finding(failed, clock is not None and clock.fired)}.", _REMEDY)]
        return replies

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


class _Clock:
    """A context that ends a process which has nothing to tell after so many seconds."""

    def __init__(self, process: subprocess.Popen, seconds: float) -> None:
        self.fired = False
        self._process, self._seconds = process, seconds
        self._timer: threading.Timer | None = None

    def __enter__(self) -> None:
        if hasattr(select, "poll"):
            # Without a thread for each file.
            waiting = select.poll()
            waiting.register(self._process.stdout, select.POLLIN)
            if not waiting.poll(1000 * self._seconds):
                self._end()
        else:
            self._timer = threading.Timer(self._seconds, self._end)
            self._timer.daemon = True
            self._timer.start()

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _end(self) -> None:
        self.fired = True
        self._process.kill()


def _widen(pipe: object) -> None:
    """A larger pipe wakes both ends less often (Linux)."""
    try:
        import fcntl

        fcntl.fcntl(pipe, _SET_PIPE_SIZE, _PIPE_SIZE)
    except (ImportError, OSError):
        return
