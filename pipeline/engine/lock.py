"""One writer at a time in a run folder."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.engine.errors import RunLockedError
from pipeline.engine.files import write_json

LOCK_NAME = ".lock"
# Beside the lock, because a second process empties the lock file while it tries to open it.
OWNER_NAME = ".lock.owner"


@contextlib.contextmanager
def run_lock(run_dir: Path) -> Iterator[None]:
    """Hold the run folder. Raises RunLockedError naming the process that holds it.

    The lock is the operating system's: it ends with its process, however that ends.
    """
    lock = FileLock(run_dir / LOCK_NAME)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunLockedError(
            f"{run_dir} is in use by {_owner(run_dir)}.", "Wait for it, stop it, or choose another --out."
        ) from error
    try:
        write_json(run_dir / OWNER_NAME, {"pid": os.getpid(), "host": socket.gethostname()})
        yield
    finally:
        with contextlib.suppress(OSError):
            (run_dir / OWNER_NAME).unlink(missing_ok=True)
        lock.release()


def owner_of(run_dir: Path) -> tuple[int, str] | None:
    """Process and host of whoever last held the run folder and has not let it go; one that was killed could not."""
    try:
        owner = json.loads((run_dir / OWNER_NAME).read_text(encoding="utf-8"))
        return int(owner["pid"]), str(owner["host"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _owner(run_dir: Path) -> str:
    owner = owner_of(run_dir)
    return "another process" if owner is None else f"process {owner[0]} on {owner[1]}"
