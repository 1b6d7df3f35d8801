"""What a command says at its end: a document for scripts, or words for people."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import typer


def tell(as_json: bool, document: Any, words: str | Callable[[], str | None], indent: int | None = 2) -> None:
    """Print the document as JSON, or else the words: as they are, or what a function makes of them or prints itself."""
    if as_json:
        typer.echo(json.dumps(document, indent=indent, ensure_ascii=False))
        return
    said = words() if callable(words) else words
    if said is not None:
        typer.echo(said)
