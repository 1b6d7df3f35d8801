"""Which curves stand in which panel: arms beside each other where they can be, else the classes of one arm."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.engine.interval_text import interval_text
from pipeline.evaluation.figures.modality_titles import title_of
from pipeline.evaluation.figures.style import GRAY, LINES, MARKERS, PALETTE, new_figure, set_title
from pipeline.evaluation.metrics.names import BINARY_METRICS
from pipeline.evaluation.statistics.intervals import metric_intervals
from pipeline.evaluation.tables.rows import Arms, Rows

# More curves than these have their legend below the panel.
INSIDE, LEGEND_LINE_INCHES = 2, 0.2
COLUMNS, PANEL_INCHES = 4, 4.8


@dataclass(frozen=True)
class Curve:
    """One class of one arm against the rest. number: its place in the panel, which gives its colour."""

    label: str
    number: int
    modality: str
    arm: str
    rows: Rows
    place: int

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Where the class is true: (N,)."""
        return self.rows.truth == self.place

    @property
    def scores(self) -> NDArray[np.float64]:
        """Probability of the class: (S, N)."""
        return self.rows.probabilities[..., self.place]

    @property
    def missing(self) -> str:
        """Why there is nothing to draw of the class against the rest; "" where there is."""
        if not self.positive.any():
            return "no rows"
        return "all rows" if self.positive.all() else ""

    @property
    def style(self) -> dict[str, str]:
        return {"color": PALETTE[self.number % len(PALETTE)], "linestyle": LINES[self.number % len(LINES)]}

    @property
    def marker(self) -> str:
        return MARKERS[self.number % len(MARKERS)]

    def interval(self, metric: str, document: Mapping | None, seed: int) -> str:
        """The metric of the class with its interval, as the document says it; made here where it does not."""
        source = f"{metric}:{self.rows.class_names[self.place]}"
        said = {} if document is None else document["modalities"][self.modality][self.arm]
        name = metric if self.rows.is_binary and metric in BINARY_METRICS else source
        return interval_text(said[name] if name in said else metric_intervals(self.rows, {name: source}, seed=seed)[name])


@dataclass(frozen=True)
class Panel:
    title: str
    curves: tuple[Curve, ...]


def curve_panels(arms: Arms) -> list[Panel]:
    """A panel for each modality: its arms, by the positive class of two; of K classes the classes of a single arm, or a
    panel for each class with every arm. Of two classes without a positive one the second is drawn."""
    panels = []
    for modality in dict.fromkeys(name for tables in arms.values() for name in tables):
        mine = {arm: tables[modality] for arm, tables in arms.items() if isinstance(tables.get(modality), Rows)}
        mine = {arm: rows for arm, rows in mine.items() if rows.scored}
        if not mine:
            continue
        rows = next(iter(mine.values()))
        names = rows.class_names
        places = [rows.positive_place if rows.is_binary else 1] if len(names) == 2 else list(range(len(names)))
        if len(places) == 1 or len(mine) > 1:
            for place in places:
                what = title_of(modality) if len(places) == 1 else f"{title_of(modality)}: {names[place]}"
                curves = [Curve(arm or names[place], n, modality, arm, mine[arm], place) for n, arm in enumerate(mine)]
                panels.append(Panel(what, tuple(curves)))
        else:
            arm = next(iter(mine))
            panels.append(Panel(title_of(modality), tuple(Curve(names[n], n, modality, arm, rows, n) for n in places)))
    return panels


def curves_figure(
    arms: Arms, title: str, axes_labels: tuple[str, str], legend: str, draw: Callable[[Axes, Curve], str]
) -> Figure:
    """A square panel for each of `curve_panels`. draw: draws one curve and returns what the legend adds to its label.

    A class without rows is named in the legend; rows of one class alone get a note. The legend of more than INSIDE curves
    stands below its panel, where it hides none of them. legend: where in the panel it stands else.
    """
    panels = curve_panels(arms)
    columns, most = min(COLUMNS, len(panels)), max(len(panel.curves) for panel in panels)
    heights = (PANEL_INCHES, LEGEND_LINE_INCHES * (1 + most)) if most > INSIDE else (PANEL_INCHES,)
    # A legend below is as wide as its longest line: it asks for more room than a panel alone.
    figure, blocks = stacked_axes(len(panels), columns, PANEL_INCHES - (0.2 if most <= INSIDE else 0), heights)
    for (axis, *below), panel in zip(blocks, panels, strict=True):
        axis.set_axis_on()
        axis.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal", title=panel.title)
        axis.set(xlabel=axes_labels[0], ylabel=axes_labels[1])
        for curve in drawn_curves(axis, panel):
            label = f"{curve.label}: {draw(axis, curve)}"
            axis.plot([], [], label=label, **curve.style)
        if axis.get_legend_handles_labels()[0]:
            if below:
                below[0].legend(*axis.get_legend_handles_labels(), loc="upper center", fontsize=8, frameon=False)
            else:
                axis.legend(loc=legend, fontsize=8, frameon=True, framealpha=0.9)
    set_title(figure, title)
    return figure


def stacked_axes(count: int, columns: int, width: float, heights: Sequence[float]) -> tuple[Figure, list[list[Axes]]]:
    """A figure of `count` panels and, of each, its axes from top to bottom, `heights` inches high; none is shown as yet."""
    blocks, parts = -(-count // columns), len(heights)
    figure, axes = new_figure(blocks * parts, columns, width, sum(heights) / parts, list(heights) * blocks)
    for axis in axes:
        axis.set_axis_off()
    tops = [place // columns * parts * columns + place % columns for place in range(count)]
    return figure, [[axes[top + part * columns] for part in range(parts)] for top in tops]


def drawn_curves(axis: Axes, panel: Panel) -> Iterator[Curve]:
    """The curves of a panel that can be drawn; the others are named in the legend, or in the panel where none can."""
    if all(curve.missing for curve in panel.curves):
        axis.text(0.5, 0.5, "rows of one class only", ha="center", va="center", color=GRAY)
    for curve in panel.curves:
        if not curve.missing:
            yield curve
        else:
            axis.plot([], [], label=f"{curve.label}: {curve.missing}", **curve.style)
