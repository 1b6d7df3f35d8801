"""Forest plot of metrics with their intervals, by arm and modality."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from pipeline.evaluation.figures.modality_titles import title_of
from pipeline.evaluation.figures.style import MARKERS, PALETTE, mark_interval, new_figure, set_title
from pipeline.evaluation.metrics.names import metric_title
from pipeline.evaluation.statistics.intervals import UNDEFINED

# what lies in [0, 1] and is better the larger
SHOWN = (
    "accuracy",
    "balanced_accuracy",
    "class_wise_mean_accuracy",
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "f1",
    "auc",
    "average_precision",
    "macro_f1",
    "macro_auc",
    "macro_average_precision",
    "cohen_kappa",
    "dice",
    "iou",
)
LEGEND_INCHES = 1.6


def forest_figure(document: dict, metrics: Sequence[str] = SHOWN) -> Figure:
    """Point and interval of each metric for each arm, a panel for each modality, all on one scale.

    document: from `build_comparison`. Metrics that are undefined are left blank.
    """
    modalities = document["modalities"]
    arms = document["arms"]
    shown = [[metric for metric in metrics if any(metric in said for said in by_arm.values())] for by_arm in modalities.values()]
    figure, axes = new_figure(1, len(modalities), 3.9, 1.3 + 0.2 * max(map(len, shown)) * (1 + 0.5 * len(arms)))
    spacing = 0.6 / max(1, len(arms))
    for axis in axes[1:]:
        axis.sharex(axes[0])
    for column, (axis, (modality, by_arm)) in enumerate(zip(axes, modalities.items(), strict=True)):
        told = column == 0 or shown[column] != shown[column - 1]
        for place, arm in enumerate(arms):
            color = PALETTE[place % len(PALETTE)]
            offset = (place - (len(arms) - 1) / 2) * spacing
            drawn = False
            for row, metric in enumerate(shown[column]):
                interval = by_arm.get(arm, {}).get(metric, UNDEFINED)
                marker = MARKERS[place % len(MARKERS)]
                mark_interval(axis, row + offset, interval, color, marker, 5, label=None if drawn else arm)
                drawn = drawn or interval["value"] is not None
        axis.set_yticks(range(len(shown[column])), [metric_title(metric) for metric in shown[column]] if told else [])
        axis.set(ylim=(len(shown[column]) - 0.5, -0.5), xlabel="Value (larger is better)", title=title_of(modality))
        axis.grid(axis="x", color="#dddddd", linewidth=0.6)
        axis.set_axisbelow(True)
    handles, labels = axes[0].get_legend_handles_labels()
    if handles:
        fitting = max(1, min(len(labels), int(figure.get_figwidth() / LEGEND_INCHES)))
        figure.legend(handles, labels, loc="outside lower center", ncols=fitting, frameon=False)
    averaged = ", mean of trainings" if has_many_trainings(document) else ""
    set_title(figure, f"Metrics{averaged}, with {100 * document['settings']['level']:g} % intervals clustered by patient")
    return figure


def has_many_trainings(document: dict) -> bool:
    """Whether any of its numbers is a mean over trainings."""
    return any(
        noise["seeds"] > 1 for by_arm in document["training_noise"].values() for arm in by_arm.values() for noise in arm.values()
    )
