"""How a run was called, so that a refusal can print a command that works as it stands."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.engine.files import ON_WINDOWS

IN_REPOSITORY = ("python", "run_pipeline.py")
# The command that an installed package has.
SCRIPT = "respiratory"


def entry() -> tuple[str, ...]:
    """The words that call the command line as this process was called: the installed command, or the repository's file."""
    return (SCRIPT,) if Path(sys.argv[0]).stem == SCRIPT else IN_REPOSITORY


def typed(words: str) -> str:
    """A command of this program as it is typed."""
    return " ".join([*entry(), words])


@dataclass(frozen=True)
class Invocation:
    """The arguments that every command about one run repeats."""

    run_dir: Path
    source: Path | None = None
    data: Path | None = None
    overrides: tuple[str, ...] = ()
    flags: frozenset[str] = frozenset()

    def run(
        self,
        first: str | None = None,
        last: str | None = None,
        only: Sequence[str] = (),
        force: bool = False,
    ) -> str:
        """Return the ``run`` command over a selection of short ids."""
        words = [*entry(), "run"]
        if self.source is not None:
            words += ["-c", str(self.source)]
        words += ["--out", str(self.run_dir)]
        if self.data is not None:
            words += ["--data", str(self.data)]
        for override in self.overrides:
            words += ["--set", override]
        words += [f"--{flag}" for flag in sorted(self.flags)]
        if first is not None and first == last:
            only = (first,)
        elif first is not None:
            words += ["--from", first, *(["--to", last] if last else [])]
        for name in only:
            words += ["--only", name]
        return command_line([*words, *(["--force"] if force else [])])


def command_line(words: Sequence[str]) -> str:
    """Words as they are typed in this system's shell."""
    return subprocess.list2cmdline(words) if ON_WINDOWS else shlex.join(words)
