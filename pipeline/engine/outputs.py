"""Files that a command is to write: refused where they would fall on what it reads, or cannot be written."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pipeline.engine.errors import StorageError, UsageError


def refuse_overwriting(outputs: Iterable[Path], sources: Iterable[Path]) -> None:
    """Raise UsageError where an output would fall on a file that is read, under whatever name or link."""
    existing = {_identity(path): path for path in outputs if path.exists()}
    if not existing:
        return
    for source in sources:
        if source.exists() and _identity(source) in existing:
            output = existing[_identity(source)]
            raise UsageError(f"{output} would overwrite its own source {source}.", "Give --out another place.")


def refuse_inside(outputs: Iterable[Path | None], data: Iterable[Path | None]) -> None:
    """Raise UsageError where an output would lie in a folder of scans, which is only ever read.

    data: what a command was given to read; only what is a folder counts, files beside each other are nobody's folder.
    """
    folders = [folder.resolve() for folder in data if folder is not None and folder.is_dir()]
    for output in outputs:
        if output is not None and any(output.resolve().is_relative_to(folder) for folder in folders):
            raise UsageError(f"{output}: lies inside the data, which is never written to.", "Give --out another place.")


def _identity(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_dev, stat.st_ino


def prepare_output(path: Path) -> None:
    """Make the folder of an output before long work begins. Raises UsageError, StorageError where it cannot be written."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder.", "Give --out the name of a file.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise StorageError(f"{path.parent}: cannot be made ({cause.strerror}).", "Give --out another place.") from cause
    if not os.access(path.parent, os.W_OK):
        raise StorageError(f"{path.parent}: cannot be written to.", "Give --out another place.")
