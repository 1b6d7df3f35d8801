"""Calibration curves of the arms, one panel for each modality."""

import numpy as np
from matplotlib.figure import Figure

from pipeline.evaluation.figure_style import GRAY, LINES, MARKERS, PALETTE, new_figure, set_title
from pipeline.evaluation.modality_titles import title_of
from pipeline.evaluation.prediction_table import PredictionTable
from pipeline.evaluation.reliability import reliability


def calibration_figure(predictions: dict[str, dict[str, PredictionTable]], bins: int = 8) -> Figure:
    """Observed share of positives against the mean predicted probability, in bins of equal count.

    predictions: arm -> modality -> table; the seed-averaged probability is drawn, with Wilson 95 % bars
    (rows as independent) and, below each curve, the distribution of the probabilities.
    """
    names = list(dict.fromkeys(name for tables in predictions.values() for name in tables))
    figure, axes = new_figure(1, len(names), 4.2, 4.5)
    for axis, modality in zip(axes, names, strict=True):
        axis.plot([0, 1], [0, 1], color=GRAY, linewidth=0.8, linestyle=":")
        strip = axis.inset_axes((0, -0.38, 1, 0.16), sharex=axis)
        strip.spines[["top", "right"]].set_visible(False)
        for place, (arm, tables) in enumerate(predictions.items()):
            table = tables.get(modality)
            if table is None:
                continue
            curve = reliability(table.labels, table.seed_mean, bins)
            color, marker = PALETTE[place % len(PALETTE)], MARKERS[place % len(MARKERS)]
            below = np.maximum(curve.observed - curve.low, 0)
            above = np.maximum(curve.high - curve.observed, 0)
            axis.errorbar(
                curve.predicted,
                curve.observed,
                yerr=np.stack([below, above]),
                color=color,
                marker=marker,
                markersize=5,
                linestyle=LINES[place % len(LINES)],
                linewidth=1.2,
                elinewidth=0.8,
                label=f"{arm}: calibration error {curve.expected_calibration_error:.3f}",
            )
            edges = np.linspace(0, 1, 26).tolist()
            strip.hist(
                table.seed_mean, edges, histtype="step", color=color, linestyle=LINES[place % len(LINES)]
            )
        # head room keeps the legend off curves that reach the top early
        axis.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.3), title=title_of(modality))
        axis.set_yticks(np.linspace(0, 1, 6))
        axis.set(xlabel="Mean predicted probability", ylabel="Observed share of positives")
        strip.set_ylabel("Rows", fontsize=8)
        strip.tick_params(labelsize=7)
        axis.legend(loc="upper left", fontsize=8, framealpha=0.9)
    set_title(figure, "Calibration of the seed-averaged probability, 95 % Wilson bars")
    return figure
