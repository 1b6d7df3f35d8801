"""Values computed from files, remembered until the file's size or time of change differs."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from pipeline.engine.file_names import printable
from pipeline.engine.files import sha256_file

PENDING_LIMIT = 5000
SHA256 = "sha256"


class HashCache:
    """A SQLite file of (kind, path, size, mtime_ns) → value.

    It is a convenience, never a truth: where it cannot be opened or written (read-only folder,
    full disk, damaged file), everything is computed again and nothing fails. is_read_only: what is
    computed is remembered here alone, and the file stays as it is.
    """

    def __init__(self, path: Path | None, *, is_read_only: bool = False) -> None:
        self._is_read_only = is_read_only
        opened = _open_to_read if is_read_only else _open
        self._connection = opened(path) if path is not None else None
        self._pending: dict[tuple[str, str], tuple[int, int, str]] = {}

    def __enter__(self) -> HashCache:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def sha256(self, path: Path) -> str:
        """Return the file's SHA-256, computed only where size or time differ. Raises OSError."""
        return self.derived(SHA256, path, sha256_file)

    def derived(self, kind: str, path: Path, compute: Callable[[Path], str]) -> str:
        """Return ``compute(path)``, or its remembered value. Raises what `compute` raises, and OSError."""
        key = (kind, printable(os.path.abspath(path)))
        stat = os.stat(path)
        known = self._pending.get(key) or self._look_up(key)
        if known is not None and known[:2] == (stat.st_size, stat.st_mtime_ns):
            return known[2]
        value = compute(Path(path))
        self._remember(key, (stat.st_size, stat.st_mtime_ns, value))
        return value

    def record(self, path: Path, sha256: str) -> None:
        """Remember a hash that was just computed elsewhere."""
        stat = os.stat(path)
        key = (SHA256, printable(os.path.abspath(path)))
        self._remember(key, (stat.st_size, stat.st_mtime_ns, sha256))

    def close(self) -> None:
        """Write what is pending and close the file."""
        self._flush()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _look_up(self, key: tuple[str, str]) -> tuple[int, int, str] | None:
        if self._connection is None:
            return None
        try:
            row = self._connection.execute(
                "SELECT size, mtime_ns, value FROM entry WHERE kind = ? AND path = ?", key
            ).fetchone()
        except sqlite3.Error:
            return None
        return (int(row[0]), int(row[1]), str(row[2])) if row else None

    def _remember(self, key: tuple[str, str], value: tuple[int, int, str]) -> None:
        self._pending[key] = value
        if len(self._pending) >= PENDING_LIMIT and self._connection is not None:
            self._flush()

    def _flush(self) -> None:
        if self._connection is None or self._is_read_only or not self._pending:
            return
        rows = [(*key, *value) for key, value in self._pending.items()]
        with contextlib.suppress(sqlite3.Error), self._connection:
            self._connection.executemany("REPLACE INTO entry VALUES (?, ?, ?, ?, ?)", rows)
        self._pending.clear()


def _open(path: Path) -> sqlite3.Connection | None:
    """Open or make the cache; a damaged one is thrown away, an impossible one is done without."""
    for _ in range(2):
        connection = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, timeout=2.0)
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS entry "
                "(kind TEXT, path TEXT, size INTEGER, mtime_ns INTEGER, value TEXT, "
                "PRIMARY KEY (kind, path)) WITHOUT ROWID"
            )
            return connection
        except (sqlite3.DatabaseError, OSError) as error:
            if connection is not None:
                connection.close()
            if not isinstance(error, sqlite3.DatabaseError) or isinstance(error, sqlite3.OperationalError):
                return None
            with contextlib.suppress(OSError):
                path.unlink()
    return None


def _open_to_read(path: Path) -> sqlite3.Connection | None:
    try:
        # Whoever only looks does so from one thread after another.
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", timeout=2.0, uri=True, check_same_thread=False)
    except sqlite3.Error:
        return None
