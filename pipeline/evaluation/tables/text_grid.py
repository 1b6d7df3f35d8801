"""A Markdown table whose columns also line up on a terminal."""

from collections.abc import Sequence


def text_grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The table as text, without a line break at its end; every row as long as `header`."""
    widths = [max(len(line[column]) for line in [header, *rows]) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([line(header), rule, *(line(row) for row in rows)])
