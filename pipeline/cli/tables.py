"""Tables and lines on a terminal, word for word: nothing in them is read as markup."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, RenderableType
from rich.table import Table


def titled_table(title: str, words: Sequence[str], numbers: Sequence[str], *, no_wrap: bool = False) -> Table:
    """A table with columns of words, on the left, and of numbers, flush right and in one line with `no_wrap`."""
    table = Table(title=title, title_justify="left")
    for name in words:
        table.add_column(name)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=no_wrap)
    return table


def show(*parts: RenderableType) -> None:
    """Print each part on lines of its own."""
    console = Console(highlight=False, markup=False, emoji=False)
    for part in parts:
        console.print(part)
