"""Files written beside their place and renamed into it, and hashes remembered by size and time."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.engine.file_names import printable, short_name

CHUNK_BYTES = 1 << 20


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's content, as 64 hexadecimal digits. Raises OSError."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def atomic_write_bytes(path: Path, content: bytes) -> None:
    """Write `content` beside `path`, then rename it there: a reader sees the old file or the new one."""
    path = Path(path)
    beside = path.with_name(short_name(f".{os.getpid()}.part.{path.name}"))
    try:
        with beside.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def atomic_write_text(path: Path, text: str) -> None:
    """Write UTF-8 text as `atomic_write_bytes` does; names in it that are not UTF-8 as `printable` writes them."""
    atomic_write_bytes(path, printable(text).encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON with sorted keys and two spaces, atomically.

    NaN and infinities become null; NumPy scalars and arrays, paths and tuples become plain
    values. Raises TypeError for anything else that JSON has no word for.
    """
    text = json.dumps(plain_json(value), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    atomic_write_text(path, text + "\n")


def plain_json(value: Any) -> Any:
    """Return `value` in JSON's own types (see `write_json`)."""
    if isinstance(value, Mapping):
        return {printable(str(key)): plain_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(inner) for inner in value]
    if isinstance(value, Path):
        return printable(value.as_posix())
    if isinstance(value, str):
        return printable(value)
    if not isinstance(value, bytes) and hasattr(value, "tolist"):
        return plain_json(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, int | float | bool):
        return value
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def flush_to_disk(path: Path) -> None:
    """Ask the system to put a file or folder on the disk itself, so that it outlives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # Some network file systems refuse fsync on folders: the rename itself still happened.
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_folder(path: Path) -> None:
    """Remove a folder and what is in it; nothing happens where there is none."""
    if path.exists():
        shutil.rmtree(path)
