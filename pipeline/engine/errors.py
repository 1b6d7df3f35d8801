"""The tree of expected errors: each says what went wrong, where, and how to mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pipeline.engine.file_names import printable


class PipelineError(Exception):
    """An expected failure. ``str(error)`` is one or two lines: the message, then the remedy."""

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        # Messages name files, and go into tables and documents: whatever a file is called.
        message = printable(message)
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class ContractError(PipelineError):
    """A stage broke its own declaration (a bug in the stage, not a mistake of its user)."""


class ConfigError(PipelineError):
    """A configuration that cannot be run."""

    exit_code = 2


class UsageError(ConfigError):
    """A command line or a call that makes no sense."""


class MissingPackageError(ConfigError):
    """A package is needed that only an extra of this one brings."""


class RunLockedError(PipelineError):
    """Another process works in the same run folder."""

    exit_code = 2


class MissingArtifactError(PipelineError):
    """An artifact that is needed has not been made, or its file is gone."""

    exit_code = 3


class StaleArtifactError(PipelineError):
    """An artifact was made with another configuration, code, seed or input."""

    exit_code = 3


class StorageError(PipelineError):
    """The disk is full, or a place cannot be written to."""

    exit_code = 3


class DataError(PipelineError):
    """Input data that cannot be used."""

    exit_code = 4


class CorruptArtifactError(PipelineError):
    """A file whose content is not what was committed."""

    exit_code = 5


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the candidate closest to `word`, or ``""``."""
    by_folded = {candidate.casefold(): candidate for candidate in candidates}
    close = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return f" Did you mean {by_folded[close[0]]!r}?" if close else ""
