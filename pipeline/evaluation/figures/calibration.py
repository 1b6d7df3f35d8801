"""Calibration curves of the arms, one panel for each modality."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.evaluation.figures.modality_titles import title_of
from pipeline.evaluation.figures.style import GRAY, LINES, MARKERS, PALETTE, new_figure, set_title
from pipeline.evaluation.metrics.reliability import reliability
from pipeline.evaluation.tables.prediction_table import PredictionTable

PANEL_INCHES, STRIP_INCHES, LEGEND_LINE_INCHES = 3.5, 0.8, 0.2


def calibration_figure(predictions: dict[str, dict[str, PredictionTable]], bins: int = 8) -> Figure:
    """Observed share of positives against the mean predicted probability, in bins of equal count.

    predictions: arm -> modality -> table; the seed-averaged probability is drawn, with Wilson 95 % bars
    (rows as independent) and, below each panel, the distribution of the probabilities.
    """
    names = list(dict.fromkeys(name for tables in predictions.values() for name in tables))
    # The legend has a row of its own: curves and bars may run anywhere in their panel.
    heights = (PANEL_INCHES, STRIP_INCHES, LEGEND_LINE_INCHES * (1 + len(predictions)))
    figure, axes = new_figure(len(heights), len(names), 4.2, sum(heights) / len(heights), height_ratios=heights)
    panels, strips, legends = (axes[row * len(names) :][: len(names)] for row in range(len(heights)))
    for panel, strip, legend, modality in zip(panels, strips, legends, names, strict=True):
        strip.sharex(panel)
        for place, (arm, tables) in enumerate(predictions.items()):
            if modality in tables:
                _draw_arm(panel, strip, place, arm, tables[modality], bins)
        panel.plot([0, 1], [0, 1], color=GRAY, linewidth=0.8, linestyle=":")
        panel.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), title=title_of(modality))
        panel.set(xlabel="Mean predicted probability", ylabel="Observed share of positives")
        strip.set_ylabel("Rows", fontsize=8)
        strip.tick_params(labelsize=7)
        legend.axis("off")
        legend.legend(*panel.get_legend_handles_labels(), loc="upper center", fontsize=8, frameon=False)
    set_title(figure, "Calibration of the seed-averaged probability, 95 % Wilson bars")
    return figure


def _draw_arm(panel: Axes, strip: Axes, place: int, arm: str, table: PredictionTable, bins: int) -> None:
    """One arm's curve, and the distribution of its probabilities below."""
    curve = reliability(table.labels, table.seed_mean, bins)
    color, linestyle = PALETTE[place % len(PALETTE)], LINES[place % len(LINES)]
    panel.errorbar(
        curve.predicted,
        curve.observed,
        yerr=np.maximum([curve.observed - curve.low, curve.high - curve.observed], 0),
        color=color,
        marker=MARKERS[place % len(MARKERS)],
        markersize=5,
        linestyle=linestyle,
        linewidth=1.2,
        elinewidth=0.8,
        label=f"{arm}: calibration error {curve.expected_calibration_error:.3f}",
    )
    strip.hist(table.seed_mean, np.linspace(0, 1, 26).tolist(), histtype="step", color=color, linestyle=linestyle)
