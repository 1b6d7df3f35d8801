"""TensorFlow's own log, kept out of what a command tells: notices at its import, and a cuInit failure where there is no GPU."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_FATAL_ONLY = "3"
_STANDARD_ERROR = 2
# Absl's informations and warnings, the line that it opens with, and the second line of one of them.
_NOTICE = re.compile(
    rb"[IW]\d{4} [\d:.]+ +\d+ \S+\] |WARNING: All log messages before absl::InitializeLog\(\)|"
    rb"To enable the following instructions: "
)


def quiet_tensorflow() -> None:
    """Let TensorFlow, where it is imported later, tell only what ends it; whoever has set its log level has the last word.

    The level counts from its import on. What it writes while it is imported knows no level: there notices are left out, and
    errors stay.
    """
    if LEVEL in os.environ or any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    os.environ[LEVEL] = _FATAL_ONLY
    sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name == "tensorflow" else None
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        with without_notices():
            super().exec_module(module)


@contextmanager
def without_notices() -> Iterator[None]:
    """Standard error, that of C++ too, without TensorFlow's notices; the rest of it comes when the block ends."""
    try:
        own = os.dup(_STANDARD_ERROR)
    except OSError:  # there is none
        yield
        return
    with tempfile.TemporaryFile() as kept:
        _flush()
        os.dup2(kept.fileno(), _STANDARD_ERROR)
        try:
            yield
        finally:
            _flush()
            os.dup2(own, _STANDARD_ERROR)
            os.close(own)
            kept.seek(0)
            for line in kept:
                if not _NOTICE.match(line):
                    os.write(_STANDARD_ERROR, line)


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
