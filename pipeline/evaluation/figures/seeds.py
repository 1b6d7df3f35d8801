"""Strip plot of the training noise: each seed's metric, beside the interval over patients."""

import numpy as np
from matplotlib.figure import Figure

from pipeline.evaluation.figures.modality_titles import title_of
from pipeline.evaluation.figures.style import GRAY, MARKERS, PALETTE, new_figure, set_title
from pipeline.evaluation.metrics.classification import metric_arrays
from pipeline.evaluation.metrics.names import metric_title, tested_metrics
from pipeline.evaluation.tables.rows import Arms, Rows

# Room for an arm's name below its dots.
ARM_INCHES = 0.9


def seed_spread_figure(predictions: Arms, document: dict | None = None) -> Figure:
    """A dot for each training, a row of panels for each tested metric and a panel for each modality.

    predictions: arm -> modality -> rows; document: the comparison, whose intervals over patients are drawn
    beside the dots, so that the two sources of uncertainty can be seen apart.
    """
    tables = {name: rows for mine in predictions.values() for name, rows in mine.items() if isinstance(rows, Rows)}
    names, metrics = list(tables), list(dict.fromkeys(metric for rows in tables.values() for metric in tested_metrics(rows)))
    arms = list(predictions)
    figure, axes = new_figure(len(metrics), len(names), max(3.4, ARM_INCHES * len(arms)), 2.9)
    for row, metric in enumerate(metrics):
        for column, modality in enumerate(names):
            axis = axes[row * len(names) + column]
            for place, arm in enumerate(arms):
                if modality not in predictions[arm]:
                    continue
                rows = predictions[arm][modality]
                source = tested_metrics(rows).get(metric)
                if source is None:
                    continue
                values = metric_arrays(rows, np.ones((1, rows.truth.size)), [source])[source][0]
                # spread evenly, not at random: the same figure each time and no two dots on one another
                across = place + (np.linspace(-0.22, 0.08, values.size) if values.size > 1 else -0.07)
                axis.plot(
                    across,
                    values,
                    linestyle="",
                    marker=MARKERS[place % len(MARKERS)],
                    markersize=4.5,
                    color=PALETTE[place % len(PALETTE)],
                    alpha=0.8,
                )
                interval = document["modalities"][modality][arm][metric] if document else None
                if interval and interval["low"] is not None:
                    axis.vlines(place + 0.27, interval["low"], interval["high"], color=GRAY, linewidth=1.6)
                    axis.plot(place + 0.27, interval["value"], marker="_", color=GRAY, markersize=9)
            axis.set_xticks(range(len(arms)), [arm.replace("_", "\n") for arm in arms], fontsize=9)
            axis.set(xlim=(-0.5, len(arms) - 0.5), ylabel=metric_title(metric) if column == 0 else "")
            axis.grid(axis="y", color="#dddddd", linewidth=0.6)
            axis.set_axisbelow(True)
            if row == 0:
                axis.set_title(title_of(modality))
    note = "; gray bar: interval of the mean over patients" if document else ""
    several = any(rows.probabilities.shape[0] > 1 for rows in tables.values())
    dots = "Training noise: one dot for each training" if several else "One training of each arm, so no training noise is seen"
    set_title(figure, dots + note)
    return figure
