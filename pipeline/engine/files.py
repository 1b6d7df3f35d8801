"""Files written beside their place and renamed into it, and hashes remembered by size and time."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline.engine.file_names import printable, short_name

CHUNK_BYTES = 1 << 20
ON_WINDOWS = os.name == "nt"
# Windows refuses to rename or remove what any program has open, a scanner for viruses among them, which soon lets go.
PATIENCE_S = 2.0 if ON_WINDOWS else 0.0


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
        move(beside, path)
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
    # Windows flushes what is open for writing, and opens no folder.
    if ON_WINDOWS and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDWR if ON_WINDOWS else os.O_RDONLY)
    try:
        # Some network file systems refuse fsync on folders: the rename itself still happened.
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def move(source: Path, place: Path) -> None:
    """Rename a file over what is there, or a folder to where nothing is. Raises OSError.

    PermissionError on Windows: a file in it is still open after `PATIENCE_S`.
    """
    _patiently(lambda: source.replace(place))


def remove_folder(path: Path) -> None:
    """Remove a folder and what is in it; nothing happens where there is none. Raises OSError, as `move`."""
    if path.exists():
        _patiently(lambda: shutil.rmtree(path))


def _patiently(action: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            action()
            return
        except PermissionError:
            if time.monotonic() >= until:
                raise
        # An array of this process that is mapped, and in use no longer.
        gc.collect()
        time.sleep(0.05)
