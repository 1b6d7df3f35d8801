"""Forest plot of a classifier's metrics by group of patients."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.engine.errors import DataError
from pipeline.evaluation.figures.style import GRAY, PALETTE, mark_interval, new_figure
from pipeline.evaluation.metrics.names import metric_title

SHOWN = ("balanced_accuracy", "sensitivity", "specificity", "auc", "macro_f1", "macro_auc")
ORDINARY, WORST = PALETTE[0], PALETTE[1]


def fairness_figure(document: dict, metrics: Sequence[str] = SHOWN) -> Figure:
    """Value and interval of each group, a panel for each metric; the line is everybody together, the shade its interval.

    document: from `fairness`. The worst ranked group is drawn in another colour, with a diamond; a group of too few
    patients, which is not ranked, as an open circle. Metrics that the document lacks are left out. Raises DataError where
    none is left.
    """
    names = [metric for metric in metrics if metric in document["gaps"]]
    if not names:
        raise DataError(f"None of {', '.join(metrics)} is in the fairness document.", f"It has {', '.join(document['gaps'])}.")
    groups = document["groups"]
    figure, axes = new_figure(1, len(names), 2.9, 1.7 + 0.42 * len(groups))
    for axis in axes[1:]:
        axis.sharex(axes[0])
    for column, (axis, metric) in enumerate(zip(axes, names, strict=True)):
        _panel(axis, document, metric)
        labels = [f"{name} (n = {group['patients']})" for name, group in groups.items()] if column == 0 else []
        axis.set_yticks(range(len(groups)), labels)
        axis.set(ylim=(len(groups) - 0.4, -0.6), xlabel=metric_title(metric))
        axis.set_title(_gap_text(document["gaps"][metric]), fontsize=8.5)
        axis.grid(axis="x", color="#dddddd", linewidth=0.6)
        axis.set_axisbelow(True)
    level, smallest = document["settings"]["level"], document["settings"]["smallest"]
    figure.suptitle(f"By {document['column']}, with {100 * level:g} % intervals by patient", fontsize=11)
    legend = [
        axes[0].plot([], [], color=ORDINARY, marker="o", linestyle="")[0],
        axes[0].plot([], [], color=WORST, marker="D", linestyle="")[0],
        axes[0].plot([], [], color=GRAY, marker="o", markerfacecolor="white", linestyle="")[0],
        axes[0].plot([], [], color=GRAY, linewidth=1)[0],
    ]
    words = ["group", "worst group", f"not ranked: the metric rests on fewer than {smallest} patients", "everybody"]
    figure.legend(legend, words, loc="outside lower center", ncols=4 if len(names) > 1 else 2, frameon=False, fontsize=8)
    return figure


def _panel(axis: Axes, document: dict, metric: str) -> None:
    everybody = document["overall"][metric]
    if everybody["value"] is not None:
        axis.axvline(everybody["value"], color=GRAY, linewidth=1)
        if everybody["low"] is not None:
            axis.axvspan(everybody["low"], everybody["high"], color=GRAY, alpha=0.12, linewidth=0)
    worst = document["gaps"][metric]["worst"]
    for row, (name, group) in enumerate(document["groups"].items()):
        made = group["metrics"][metric]
        if made["value"] is None:
            axis.text(
                0.5, row, "undefined", color=GRAY, fontsize=8, ha="center", va="center", transform=axis.get_yaxis_transform()
            )
            continue
        color = GRAY if not made["ranked"] else WORST if name == worst else ORDINARY
        marker = "D" if made["ranked"] and name == worst else "o"
        mark_interval(axis, row, made, color, marker, markerfacecolor=color if made["ranked"] else "white")


def _gap_text(gap: dict) -> str:
    if gap["value"] is None:
        return "gap not tested"
    adjusted = "" if gap["p_adjusted"] is None else f", Holm p = {gap['p_adjusted']:.2g}"
    return f"gap {gap['value']:.3f}{adjusted}"
