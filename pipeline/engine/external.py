"""The user's files that a stage reads: their combined content decides whether the stage is stale."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.engine.errors import DataError, PipelineError
from pipeline.engine.hash_cache import HashCache
from pipeline.engine.wiring import WiredStage

NO_FILES = hashlib.sha256().hexdigest()


@dataclass(frozen=True)
class External:
    """The combined SHA-256 of a stage's external files and their count.

    `problem` is set where the files could not be listed or read; the hash is then empty.
    """

    sha256: str
    count: int
    problem: PipelineError | None = None


def read_external(item: WiredStage, data: Path | None, cache: HashCache) -> External:
    """Hash what the stage declares. Files below `data` count by their path inside it: it may be moved."""
    try:
        files = sorted(set(item.stage.external(item.config, data)))
        return External(_combined(files, data, cache), len(files))
    except PipelineError as error:
        return External("", 0, error)
    except OSError as error:
        named = error.filename or data
        problem = DataError(
            f"{item.id} reads {named}, which cannot be read ({(error.strerror or str(error)).lower()}).",
            "Give the folder of the scans with --data.",
        )
        return External("", 0, problem)


def _combined(files: Iterable[Path], data: Path | None, cache: HashCache) -> str:
    digest = hashlib.sha256()
    for file in files:
        inside = data is not None and file.is_relative_to(data)
        label = file.relative_to(data).as_posix() if inside and data is not None else file.name
        digest.update(f"{cache.sha256(file)}  {label}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
