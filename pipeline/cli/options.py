"""Options of any command."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]
BriefQuiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")]


def choices(name: str, words: Iterable[str]) -> Any:
    """An enumeration of the words that an option may have, as Typer asks for it."""
    return StrEnum(name, {word.upper(): word for word in words})
