"""How every evaluation figure looks: colours that colour-blind readers tell apart, and the blank axes."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe & Ito 2008; yellow left out, too faint on white
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":", "-", "--", "-.")
GRAY = "#666666"
# Of the figure's title, and of a panel's, at their sizes.
LETTERS_PER_INCH, PANEL_LETTERS_PER_INCH = 11, 11.5
PANEL_TITLE_SIZE = 10


def new_figure(
    rows: int, columns: int, width: float, height: float, height_ratios: Sequence[float] | None = None
) -> tuple[Figure, list[Axes]]:
    """A figure of rows × columns axes, each width × height inches, drawn by Agg without pyplot's state.

    height_ratios: of the rows to each other; equal where not said, and `height` is their mean.
    """
    figure = Figure(figsize=(columns * width, rows * height), layout="constrained", dpi=120)
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, height_ratios=height_ratios)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, list(axes.flat)


def mark_interval(
    axis: Axes, row: float, interval: Mapping[str, float | None], color: str, marker: str, size: float = 6, **more: Any
) -> None:
    """The value as a marker at a height and its interval as a bar; nothing where it is undefined."""
    if interval["value"] is None:
        return
    if interval["low"] is not None:
        axis.hlines(row, interval["low"], interval["high"], color=color, linewidth=1.8)
    axis.plot(interval["value"], row, marker=marker, color=color, linestyle="", markersize=size, **more)


def set_panel_title(axis: Axes, title: str, width: float) -> None:
    """The title of a panel, on as many lines as `width` inches ask for; its own line breaks are kept."""
    letters = max(12, int(width * PANEL_LETTERS_PER_INCH))
    lines = [part for line in title.split("\n") for part in textwrap.wrap(line, letters)]
    axis.set_title("\n".join(lines), fontsize=PANEL_TITLE_SIZE)


def set_title(figure: Figure, title: str) -> None:
    """The title of a whole figure, on as many lines as its width asks for."""
    letters = max(20, int(figure.get_figwidth() * LETTERS_PER_INCH))
    figure.suptitle("\n".join(textwrap.wrap(title, letters)), fontsize=11)
