"""Tables and lines on a terminal, word for word: nothing in them is read as markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Column, Table


class TitledTable:
    """A table with columns of words, on the left, and of numbers, flush right.

    Where it is wider than the terminal its numbers go on in further tables, each with the words again: no cell is cut off or
    broken as long as the words leave room for one column. A row without cells is a line between sections.
    """

    def __init__(self, title: str, words: Sequence[str], numbers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        self.title, self.words, self.numbers = title, tuple(words), tuple(numbers)
        self.rows = [tuple(row) for row in rows]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for place, block in enumerate(self._blocks(options.max_width)):
            yield self._table(self.title if place == 0 else None, [*range(len(self.words)), *block])

    def _blocks(self, width: int) -> list[list[int]]:
        """The columns of numbers that stand side by side, table by table."""
        taken = 1 + sum(self._width(column) for column in range(len(self.words)))
        blocks: list[list[int]] = [[]]
        used = taken
        for column in range(len(self.words), len(self.words) + len(self.numbers)):
            if blocks[-1] and used + self._width(column) > width:
                blocks.append([])
                used = taken
            blocks[-1].append(column)
            used += self._width(column)
        return blocks

    def _width(self, column: int) -> int:
        """Of a column with its blanks and its line."""
        cells = [(*self.words, *self.numbers)[column], *(row[column] for row in self.rows if row)]
        return 3 + max(cell_len(line) for cell in cells for line in cell.split("\n"))

    def _table(self, title: str | None, columns: Sequence[int]) -> Table:
        table = Table(title=title, title_justify="left")
        for column in columns:
            of_words = column < len(self.words)
            name = (*self.words, *self.numbers)[column]
            table.add_column(name, justify="left" if of_words else "right", overflow="fold")
        for row in self.rows:
            if row:
                table.add_row(*(row[column] for column in columns))
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
    """Print each part on lines of its own; words stay on one line, so that a path or a command can be copied."""
    console = Console(highlight=False, markup=False, emoji=False)
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, str))
