"""The process in which files are decoded for a pool: it may crash, hang or run out of memory without harm to others.

Requests and replies are frames on its standard streams (`send_frame`). It never loads TensorFlow, and ends when its
standard input does.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.reading.assumptions import Assumption, ReadScan, ScanHeader
from pipeline.data.reading.bounds import Bounds, refuse_beyond
from pipeline.engine.errors import PipelineError

_READY = "ready"
_HEADER_VALUES = attrgetter(*ScanHeader.__dataclass_fields__)
_MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """One file to read, at `path`, or the bytes `data` of an upload that errors call `path`, within `bounds` where given.

    folder: where a relative path begins: whoever asks may have left the folder in which this process was started.
    """

    path: str
    data: bytes | None
    slice: int | str | None
    with_colour: bool
    seconds: float
    folder: str = ""
    bounds: Bounds | None = None


def send_frame(write: Callable[[Any], int | None], content: object) -> None:
    """A pickled object; the pixels of arrays follow it as they are, without a copy."""
    parts: list[pickle.PickleBuffer] = []
    head = pickle.dumps(content, protocol=5, buffer_callback=parts.append)
    raw = [part.raw() for part in parts]
    sizes = [len(head), *(len(part) for part in raw)]
    for part in (struct.pack(f"<I{len(sizes)}Q", len(sizes), *sizes) + head, *raw):
        view = memoryview(part)
        while view:
            view = view[write(view) or 0 :]


def receive_frame(read_into: Callable[[Any], int | None]) -> Any:
    """What `send_frame` sent. Raises EOFError where the stream ends."""
    count = struct.unpack("<I", _exactly(read_into, 4))[0]
    sizes = struct.unpack(f"<{count}Q", _exactly(read_into, 8 * count))
    head, *parts = [_exactly(read_into, size) for size in sizes]
    return pickle.loads(head, buffers=parts)


def scan_of(reply: tuple) -> ReadScan:
    """The scan of a reply: its parts travel as a tuple, which is many times faster than frozen objects with slots."""
    gray, colour, assumptions, header = reply
    return ReadScan(gray, colour, tuple(Assumption(*said) for said in assumptions), ScanHeader(*header))


def _reply_of(scan: ReadScan) -> tuple:
    assumptions = [(said.name, said.sentence, said.changes_answer) for said in scan.assumptions]
    return scan.gray, scan.colour, assumptions, _HEADER_VALUES(scan.header)


def serve(memory_mb: int) -> None:
    """Answer requests until the input ends: with a scan (`scan_of`), or the PipelineError that refuses the file."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    replies, requests = os.fdopen(os.dup(1), "wb", buffering=0), sys.stdin.buffer.raw
    # Decoders that print would write into the replies.
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    import cv2

    import pipeline.data.reading.scan_reader  # noqa: F401

    cv2.setNumThreads(1)
    _limit_memory(memory_mb)
    send_frame(replies.write, _READY)
    while True:
        try:
            request = receive_frame(requests.readinto)
        except EOFError:
            return
        try:
            reply: tuple | PipelineError = _reply_of(_answered(request))
        except PipelineError as error:
            reply = error
        finally:
            _arm(0)
        send_frame(replies.write, reply)


def _answered(request: Request) -> ReadScan:
    from pipeline.data.reading.scan_reader import decode_upload, file_bytes, is_volume, read_scan

    data = request.data
    if request.folder:
        os.chdir(request.folder)
    if data is None and request.slice is None and not is_volume(request.path):
        data = file_bytes(request.path)
    _load_decoders(data)
    _arm(request.seconds)
    if data is not None and request.bounds is not None:
        refuse_beyond(data, request.path, request.bounds)
    if data is None:
        return read_scan(request.path, slice=request.slice, with_colour=request.with_colour)
    return decode_upload(data, request.path, request.slice, request.with_colour)


def _arm(seconds: float) -> None:
    """Ends this process after so many seconds of processor time, inside of a decoder too; 0 disarms."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _limit_memory(megabytes: int) -> None:
    """What this process may take beyond what it has, where the system knows such a limit (not on Windows, macOS)."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        taken = pages * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + megabytes * _MEGABYTE,) * 2)
    except (ImportError, OSError, ValueError):
        return


def _load_decoders(data: bytes | None) -> None:
    """Import what these bytes need, so that a first file is not charged for it."""
    from pipeline.data.reading.raster_decoders import raster_kind

    kind = raster_kind(data) if data is not None else None
    if kind == "JPEG":
        import simplejpeg  # noqa: F401
    elif kind == "TIFF":
        import imagecodecs  # noqa: F401
        import tifffile  # noqa: F401
    elif kind is None:
        import pipeline.data.reading.dicom_chain.dicom_object
        import pipeline.data.reading.volume_reader  # noqa: F401


def _exactly(read_into: Callable[[Any], int | None], size: int) -> np.ndarray:
    content = np.empty(size, np.uint8)
    view = memoryview(content)
    while view:
        taken = read_into(view)
        if not taken:
            raise EOFError
        view = view[taken:]
    return content
