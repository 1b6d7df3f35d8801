"""A service in a process of its own, and clients that ask it over connections that stay."""

from __future__ import annotations

import contextlib
import http.client
import json
import select
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlparse

import psutil

from pipeline.engine.errors import PipelineError

ENTRY = Path(__file__).parents[4] / "run_pipeline.py"
BOUNDARY = "bench"
# What the command lines of its processes hold.
DECODER, WORKER = "decoder_service", "spawn_main"
SECONDS_TO_START, SECONDS_TO_END = 120.0, 60.0


@dataclass(frozen=True)
class Running:
    """A service. start_s: from the start of its process until it was ready."""

    address: str
    process: subprocess.Popen
    start_s: float
    log: Path | None = None

    def memory(self) -> int:
        """Bytes that it and its processes hold: see `memory_of`."""
        return sum(map(memory_of, self.processes()))

    def processor_s(self) -> float:
        """Seconds that the processor has worked for it and its processes that live."""
        return sum(map(processor_s_of, self.processes()))

    def processes(self) -> list[psutil.Process]:
        """It, and those below it."""
        top = psutil.Process(self.process.pid)
        return [top, *top.children(recursive=True)]

    def decoders(self) -> list[psutil.Process]:
        """The processes that decode."""
        return [each for each in self.processes() if DECODER in _words_of(each)]

    def workers(self) -> list[psutil.Process]:
        """The processes that answer: itself, or those below it where there are several."""
        top, *below = self.processes()
        return [each for each in below if WORKER in _words_of(each) and each.status() != psutil.STATUS_ZOMBIE] or [top]

    def told(self, event: str) -> list[dict]:
        """The lines of its log about an event."""
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log is not None else []
        return [told for line in lines if line.startswith("{") and (told := json.loads(line)).get("event") == event]


def memory_of(process: psutil.Process) -> int:
    """Bytes of its own, 0 of one that has ended: what no file lies behind (Linux), else what it shares with none. Its part of
    libraries would change with every other program that maps them, or ends."""
    with contextlib.suppress(psutil.Error):
        told = process.memory_info()
        return int(told.rss - told.shared if hasattr(told, "shared") else process.memory_full_info().uss)
    return 0


def processor_s_of(process: psutil.Process) -> float:
    """Seconds in user and system mode; 0 of one that has ended."""
    with contextlib.suppress(psutil.Error):
        told = process.cpu_times()
        return float(told.user + told.system)
    return 0.0


def _words_of(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


@dataclass(frozen=True)
class Reply:
    """What became of one request. status: 0 where the connection was ended. at: seconds since the load began. port: the client's
    end of the connection."""

    status: int
    seconds: float
    at: float
    body: bytes = b""
    port: int = 0


class ServiceEndedError(PipelineError):
    """The service under load ended by itself, or was not ready in time."""


@contextmanager
def service(*words: str) -> Iterator[Running]:
    """`serve` on a free port of loopback until the context ends. words: further options."""
    with tempfile.TemporaryDirectory() as folder, (log := Path(folder, "log")).open("wb") as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, str(ENTRY), "serve", "--port", "0", *words],
            stdout=subprocess.PIPE, stderr=errors, encoding="utf-8",
        )  # fmt: skip
        with _ended(process):
            yield _ready(process, began, log)


def _ready(process: subprocess.Popen, began: float, log: Path) -> Running:
    address = (process.stdout.readline().split() or [""])[0] if process.stdout else ""
    if not address:
        raise ServiceEndedError("The service did not start.", "Start serve by itself: it says why.")
    client = Client(address)
    while client.get("/ready").status != 200:
        if process.poll() is not None or time.perf_counter() - began > SECONDS_TO_START:
            raise ServiceEndedError("The service is not ready.", "Start serve by itself: its log says why.")
        time.sleep(0.02)
    return Running(address, process, time.perf_counter() - began, log)


@contextmanager
def _ended(process: subprocess.Popen) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Client:
    """One connection, for one thread."""

    def __init__(self, address: str, timeout: float = 120) -> None:
        place = urlparse(address)
        self._connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=timeout)
        self._began = time.perf_counter()

    def get(self, path: str) -> Reply:
        return self._asked("GET", path, b"", {})

    def post(self, path: str, body: bytes) -> Reply:
        """body: of `form`."""
        return self._asked("POST", path, body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})

    def _asked(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        begun, port = time.perf_counter(), 0
        try:
            # As clients do that keep connections: one that was ended meanwhile is not asked.
            if self._connection.sock is not None and select.select([self._connection.sock], [], [], 0)[0]:
                self._connection.close()
            if self._connection.sock is None:
                self._connection.connect()
            port = self._connection.sock.getsockname()[1]
            self._connection.request(method, path, body, dict(headers))
            answer = self._connection.getresponse()
            status, content = answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            # The connection was ended; the next request makes another.
            self._connection.close()
            status, content = 0, b""
        now = time.perf_counter()
        return Reply(status, now - begun, now - self._began, content, port)


def form(files: Sequence[tuple[str, bytes]], fields: Mapping[str, str] | None = None) -> bytes:
    """Files by field, and fields, as one multipart body."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="scan.png"\r\n\r\n'.encode() + content + b"\r\n"
        for name, content in files
    ]
    parts += [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in (fields or {}).items()
    ]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def load(
    address: str, path: str, bodies: Sequence[bytes], clients: int, *, count: int | None = None, seconds: float = 3600,
    pause: Callable[[Reply], float] = lambda reply: 0,
) -> list[Reply]:  # fmt: skip
    """So many clients that ask one after another, until `count` requests were made in all or the time is over.

    pause: seconds that a client waits after a reply. Returns the replies without their bodies.
    """
    replies, lock, ends = list[Reply](), threading.Lock(), time.monotonic() + seconds
    left = [count if count is not None else sys.maxsize]

    def ask() -> None:
        client, mine = Client(address), list[Reply]()
        while time.monotonic() < ends:
            with lock:
                left[0] -= 1
                number = left[0]
            if number < 0:
                break
            reply = client.post(path, bodies[number % len(bodies)])
            mine.append(replace(reply, body=b""))
            if wait := pause(reply):
                time.sleep(wait)
        with lock:
            replies.extend(mine)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(replies, key=lambda reply: reply.at)

