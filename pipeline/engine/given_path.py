"""A path as it is given from Python: text or path-like, and nothing else that could be taken for one; what tells its file."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pipeline.engine.errors import UsageError

# What tells a file as it is now from every other, and from itself once it was written to.
FileKey = tuple[Path, int, int, int, int, int]
_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]+://|data:[a-z]+/)", re.IGNORECASE)
_SHOWN = 60


def path_given(value: object, what: str) -> Path:
    """A `str` or path-like as a Path. what: what it should lead to, in words ("a scan"), for messages.

    Raises UsageError: of another type, bytes, empty, an address of the internet, or with a zero byte in it.
    """
    if not isinstance(value, str | os.PathLike):
        raise UsageError(f"{type_name(value)} is no path to {what}.", "Give a str or a pathlib.Path.")
    text = os.fspath(value)
    if not isinstance(text, str):
        raise UsageError(f"{type_name(value)} leads to bytes, not text.", "Give a str: os.fsdecode makes one of it.")
    if not text.strip():
        raise UsageError(f"An empty path leads to no {what.split(maxsplit=1)[-1]}.", "Give a file's or a folder's path.")
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    if _ADDRESS.match(text):
        raise UsageError(f"{shown} is an address, and nothing is fetched here.", "Download it first, and give the file's path.")
    if "\0" in text:
        raise UsageError(f"{shown!r} holds a zero byte, which no path does.", "Give a file's or a folder's path.")
    return Path(text)


def type_name(value: object) -> str:
    """Its type, as people know it: "list", "PIL.Image.Image"."""
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def file_key(path: Path) -> FileKey | None:
    """See `FileKey`; None where there is no such file."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return (path.absolute(), found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
