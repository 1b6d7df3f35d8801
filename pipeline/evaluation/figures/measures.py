"""Measures of scans, such as the Dice of their masks, group by group."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from pipeline.evaluation.figures.style import GRAY, PALETTE, new_figure, set_title
from pipeline.evaluation.metrics.names import LOWER_IS_BETTER, metric_title
from pipeline.evaluation.tables.rows import MeasuredRows


def measures_figure(measures: Mapping[str, Mapping[str, ArrayLike]], title: str = "") -> Figure:
    """A panel for each measure: every scan's value as a dot, its group's mean as a bar across.

    measures: measure -> group (class or arm) -> (n,) values. The dots are spread sideways only to be told apart.
    """
    groups = max(len(by_group) for by_group in measures.values())
    figure, axes = new_figure(1, len(measures), max(3.6, 1.1 * groups + 1.6), 3.6)
    for axis, (measure, by_group) in zip(axes, measures.items(), strict=True):
        every = np.concatenate([np.asarray(values, np.float64) for values in by_group.values()])
        chance = np.random.default_rng(0)
        for number, values in enumerate(np.asarray(values, np.float64) for values in by_group.values()):
            spread = chance.uniform(-0.25, 0.25, values.size)
            axis.plot(number + spread, values, ".", color=PALETTE[number % len(PALETTE)], markersize=4, alpha=0.6)
            if values.size:
                mean = values.mean()
                axis.hlines(mean, number - 0.35, number + 0.35, color="black", linewidth=1.5)
                axis.text(number + 0.37, mean, f"{mean:.3f}", va="center", fontsize=8, color=GRAY)
        axis.set_xticks(range(len(by_group)), list(by_group))
        axis.set(ylabel=metric_title(measure))
        if measure not in LOWER_IS_BETTER:
            axis.set_ylim(min(0.5, float(every.min()) - 0.05) if every.size else 0, 1.02)
    set_title(figure, title)
    return figure


def by_class(rows: MeasuredRows, measure: str) -> dict[str, np.ndarray]:
    """{class: (n,) values of its scans}."""
    return {name: rows.values[measure][rows.truth == place] for place, name in enumerate(rows.class_names)}
