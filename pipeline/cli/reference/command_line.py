"""docs/cli.md: every command with its arguments, options, defaults and help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from pipeline.cli.app import COMMANDS
from pipeline.cli.lazy_group import Group
from pipeline.engine.invocation import IN_REPOSITORY

HEAD = """\
# Command line

Written by `run_pipeline.py reference` from the commands themselves; `-h` or `--help` behind a command prints the same.
Where the package is installed (`pip install .`), `respiratory` stands in the place of `python run_pipeline.py`; `--version` tells
which. A command that needs more than is installed names the extra that brings it.

Every command says at the end what it wrote. `--json`, where there is one, prints the same for scripts, and nothing else on
standard output. `--debug`, which may stand anywhere, shows the traceback of an error. What is written: [outputs](outputs.md).

| exit code | what happened |
|---|---|
| 0 | done |
| 1 | a bug: please report it |
| 2 | the command line or the configuration cannot be used, or another process works in the run |
| 3 | an artifact is missing or stale, or the disk is full |
| 4 | input data cannot be used, or no scan has an answer |
| 5 | a file is not what was committed |
| 130 | interrupted; the same command goes on |

An error is one or two lines: what, where, and how to mend it ([troubleshooting](troubleshooting.md)).

"""


def command_line_page() -> str:
    """The page, in Markdown."""
    return HEAD + "\n".join(_lines(COMMANDS, ())) + "\n"


def _lines(group: Group, above: tuple[str, ...]) -> Iterator[str]:
    """The sections of a group's commands, each loaded here. above: the words that lead to the group."""
    for name, entry in group.commands.items():
        words = (*above, name)
        if isinstance(entry, Group):
            yield from [f"## {' '.join(words)}", "", entry.summary, ""]
            yield from _lines(entry, words)
        else:
            yield from _section(entry.load(name), words)


def _section(command: Any, words: tuple[str, ...]) -> Iterator[str]:
    context = typer.Context(command, info_name=" ".join(words))
    usage = " ".join([*IN_REPOSITORY, *words, *command.collect_usage_pieces(context)])
    yield from [f"{'#' * (len(words) + 1)} {' '.join(words)}", "", _escaped(command.help), "", "```text", usage, "```", ""]
    for parameter in command.params:
        shown, told = parameter.get_help_record(context)
        yield f"- `{shown}` {_escaped(' '.join(told.split()))}".rstrip()
    yield ""


def _escaped(text: str) -> str:
    """Words in angle brackets are no HTML."""
    return text.replace("<", "&lt;")
