"""How a command tells what it found: as a document for scripts or in words for people, with or without its progress."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]
BriefQuiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")]


def tell(as_json: bool, document: Any, words: str | Callable[[], str | None], indent: int | None = 2) -> None:
    """Print the document as JSON, or else the words: as they are, or what a function makes of them or prints itself."""
    if as_json:
        typer.echo(json.dumps(document, indent=indent, ensure_ascii=False))
        return
    said = words() if callable(words) else words
    if said is not None:
        typer.echo(said)
