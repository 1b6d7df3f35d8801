"""What comes after a run: the command lines that its end and its page show."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from pipeline.engine.invocation import Invocation, typed
from pipeline.engine.rundir import RunDirectory
from pipeline.systems import systems_of_run


def next_commands(run: RunDirectory, going_on: Invocation, behind: Sequence[str]) -> list[str]:
    """The run itself while something of it is left to do; then what is done with what it holds.

    behind: stages that are not up to date. Each line works as it stands but for the words in capitals.
    """
    if behind:
        return [going_on.run()]
    place, systems = shlex.quote(str(run.path)), systems_of_run(run)
    commands = [f"compare --run {place} --out DIR", f"export --run {place} --out DIR"]
    chosen = [f"{command} --system {system.name}" if len(systems) > 1 else command for system in systems for command in commands]
    asked = [system.asking("--run", run.path, lambda name: run.has(f"probabilities_{name}")) for system in systems]
    return [typed(words) for words in (*chosen, *asked)] or [typed(f"status --out {place}")]
