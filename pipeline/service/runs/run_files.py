"""The files of a run that may be looked at: reports, figures, tables and figures in JSON that its stages committed."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from pipeline.engine.manifest import Manifest

Kind = Literal["report", "figure", "table", "document"]
KINDS: dict[str, Kind] = {".md": "report", ".png": "figure", ".csv": "table", ".json": "document"}
MOST_BYTES = 32 << 20
# A stored network's description stands beside its weights; it says nothing to a reader.
ARCHITECTURE = "_architecture"
_STAGE = re.compile(r"s\d\d_[a-z0-9_]+")


@dataclass(frozen=True)
class RunFile:
    """One file. file: its path in the stage's folder, as the manifest has it. size: bytes, as committed."""

    stage: str
    file: str
    kind: Kind
    meaning: str
    size: int

    @property
    def place(self) -> str:
        """Its path in the run."""
        return f"{self.stage}/{self.file}"


class AbsentError(Exception):
    """What is asked for is not there, or not shown. Its words name no path outside the run."""


def is_stage(name: object) -> bool:
    """Whether a stage may be called so; a record might say anything."""
    return isinstance(name, str) and _STAGE.fullmatch(name) is not None


def files_of(stage: str, manifest: Manifest) -> Iterator[RunFile]:
    """Of a committed stage: its artifacts of a kind that is shown, none that lies elsewhere, none of a network."""
    for name, output in manifest.outputs.items():
        kind = KINDS.get(PurePosixPath(output.file).suffix)
        if kind is not None and _is_within(output.file) and not name.endswith(ARCHITECTURE):
            yield RunFile(stage, output.file, kind, output.meaning, output.size)


def _is_within(file: str) -> bool:
    """A plain path below its folder, on every system."""
    parts = file.split("/")
    return not any(part in ("", ".", "..") for part in parts) and not any(mark in file for mark in ("\\", ":", "\0"))


@contextmanager
def opened(root: Path, file: RunFile, most: int = MOST_BYTES) -> Iterator[IO[bytes]]:
    """The file to be read. root: the run's folder, resolved.

    Raises AbsentError where it is not there, is or lies behind a link, is no plain file, or has more than `most` bytes; and for
    what fails while it is read.
    """
    path = root / file.stage / PurePosixPath(file.file)
    try:
        # A link would lead out of the run, or to what is not shown.
        if path.resolve(strict=True) != path:
            raise AbsentError(f"{file.place} is a link.")
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with open(os.open(path, flags), "rb") as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise AbsentError(f"{file.place} is no plain file.")
            if found.st_size > most:
                raise AbsentError(f"{file.place} has more than the {most >> 20} MiB that are shown: read it in the run's folder.")
            yield stream
    except (OSError, ValueError, RuntimeError) as cause:
        told = getattr(cause, "strerror", None) or type(cause).__name__
        raise AbsentError(f"{file.place} cannot be read ({told}).") from cause


def content_of(root: Path, file: RunFile) -> bytes:
    """Its bytes. Raises as `opened`."""
    with opened(root, file) as stream:
        return stream.read(MOST_BYTES)
