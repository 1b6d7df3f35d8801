"""The runs that are served, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.engine.errors import UsageError
from pipeline.engine.file_names import printable
from pipeline.engine.record import read_record


@dataclass(frozen=True)
class ServedRun:
    """One run. path: as it was given, for commands. root: where it lies, no link on the way."""

    name: str
    path: Path
    root: Path


def served_runs(paths: Sequence[Path]) -> dict[str, ServedRun]:
    """The runs by the names of their folders. Raises UsageError where two are called the same."""
    found: dict[str, ServedRun] = {}
    for path in paths:
        root = path.resolve()
        name = printable(root.name)
        if name in found and found[name].root != root:
            told = f"Two runs are called {name}: {found[name].path} and {path}."
            raise UsageError(told, "Rename a folder, or serve them apart, with another --port.")
        found.setdefault(name, ServedRun(name, path, root))
    return found


def require_runs(paths: Sequence[Path]) -> None:
    """Before anything is served. Raises as `served_runs` and `read_record` (no run folder; a record that cannot be read)."""
    for run in served_runs(paths).values():
        read_record(run.path)
