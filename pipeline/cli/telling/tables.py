"""Tables and lines on a terminal, word for word: nothing in them is read as markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.table import Column, Table


def titled_table(
    title: str, words: Sequence[str], numbers: Sequence[str], rows: Iterable[Sequence[str]], *, no_wrap: bool = False
) -> Table:
    """A table with columns of words, on the left, and of numbers, flush right and in one line with `no_wrap`.

    A row without cells is a line between sections.
    """
    table = Table(title=title, title_justify="left")
    for name in words:
        table.add_column(name)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=no_wrap)
    for row in rows:
        if row:
            table.add_row(*row)
        else:
            table.add_section()
    return table


def plain_table(columns: Sequence[str], rows: Iterable[Sequence[RenderableType]]) -> Table:
    """A table without a frame, whose long cells are folded."""
    table = Table(*(Column(name, overflow="fold") for name in columns), box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    return table


def show(*parts: RenderableType) -> None:
    """Print each part on lines of its own."""
    console = Console(highlight=False, markup=False, emoji=False)
    for part in parts:
        console.print(part)
