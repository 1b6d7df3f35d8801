"""A study in one picture: what fresh probes read, and what is known of the lesion, arm by arm."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.evaluation.comparison.alignment_words import AT_THE_FLOOR, CHANCE, PROBE_TITLES
from pipeline.evaluation.figures.style import GRAY, MARKERS, PALETTE, mark_interval, new_figure, set_title

SPREAD = 0.5


def study_figure(document: Mapping) -> Figure:
    """Balanced accuracy of each fresh probe (left) and AUC of the lesion by side (right), with their intervals.

    document: from ``study_document``. Gray: the probes' floor, up to where the sides count as hidden, and chance.
    """
    arms = document["arms"]
    figure, (left, right) = new_figure(1, 2, 4.9, 1.5 + 0.5 * (len(arms) + 1))
    read = {"embeddings": document["raw"], **{arm: told["probes"] for arm, told in arms.items()}}
    floor = document["raw"]["floor"]
    left.axvspan(floor - AT_THE_FLOOR, floor + AT_THE_FLOOR, color=GRAY, alpha=0.15, linewidth=0)
    left.axvline(floor, color=GRAY, linewidth=0.8)
    probes = {
        PROBE_TITLES[probe]: {name: scores["probes"][probe]["balanced_accuracy"] for name, scores in read.items()}
        for probe in document["raw"]["probes"]
    }
    _draw(left, list(read), probes, 0)
    left.set(xlabel="Balanced accuracy of fresh probes", title="Are the two sides told apart?")
    sides = {name: {arm: told["auc"][side] for arm, told in arms.items()} for side, name in document["sides"].items()}
    _draw(right, list(arms), sides, len(probes))
    right.axvline(CHANCE, color=GRAY, linewidth=0.8)
    right.set(xlabel="AUC of the lesion", title="Is the lesion known?")
    set_title(figure, document["question"])
    return figure


def _draw(axis: Axes, rows: list[str], series: Mapping[str, Mapping[str, Mapping]], colour: int) -> None:
    for place, (name, by_row) in enumerate(series.items()):
        offset = (place - (len(series) - 1) / 2) * SPREAD / len(series)
        style = PALETTE[(place + colour) % len(PALETTE)], MARKERS[(place + colour) % len(MARKERS)]
        for number, row in enumerate(rows):
            label = name if number == 0 else None
            mark_interval(axis, number + offset, by_row[row], *style, 5, label=label)
    axis.set_yticks(range(len(rows)), rows)
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.grid(axis="x", color="#dddddd", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.legend(fontsize=7, framealpha=0.9, loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=3, frameon=False)
