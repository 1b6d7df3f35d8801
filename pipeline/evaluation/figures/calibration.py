"""Calibration curves, one class against the rest."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.evaluation.figures.panels import Curve, curve_panels
from pipeline.evaluation.figures.style import GRAY, new_figure, set_title
from pipeline.evaluation.metrics.reliability import reliability
from pipeline.evaluation.tables.rows import Arms

PANEL_INCHES, STRIP_INCHES, LEGEND_LINE_INCHES = 3.5, 0.8, 0.2
TITLE = "Calibration of the seed-averaged probability, 95 % Wilson bars"


def calibration_figure(arms: Arms, bins: int = 8, title: str = TITLE) -> Figure:
    """Observed share of a class against its mean predicted probability, in bins of equal count; panels of `curve_panels`.

    The seed-averaged probability is drawn, with Wilson 95 % bars (rows as independent) and, below each panel, the
    distribution of the probabilities.
    """
    drawn = curve_panels(arms)
    # The legend has a row of its own: curves and bars may run anywhere in their panel.
    heights = (PANEL_INCHES, STRIP_INCHES, LEGEND_LINE_INCHES * (1 + max(len(panel.curves) for panel in drawn)))
    figure, axes = new_figure(len(heights), len(drawn), 4.2, sum(heights) / len(heights), height_ratios=heights)
    panels, strips, legends = (axes[row * len(drawn) :][: len(drawn)] for row in range(len(heights)))
    for axis, strip, legend, panel in zip(panels, strips, legends, drawn, strict=True):
        strip.sharex(axis)
        for curve in panel.curves:
            _draw_curve(axis, strip, curve, bins)
        axis.plot([0, 1], [0, 1], color=GRAY, linewidth=0.8, linestyle=":")
        axis.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), title=panel.title)
        axis.set(xlabel="Mean predicted probability", ylabel="Observed share of the class")
        strip.set_ylabel("Rows", fontsize=8)
        strip.tick_params(labelsize=7)
        legend.axis("off")
        legend.legend(*axis.get_legend_handles_labels(), loc="upper center", fontsize=8, frameon=False)
    set_title(figure, title)
    return figure


def _draw_curve(axis: Axes, strip: Axes, curve: Curve, bins: int) -> None:
    """One curve, and the distribution of its probabilities below."""
    scores = curve.scores.mean(axis=0)
    found = reliability(curve.positive, scores, bins)
    axis.errorbar(
        found.predicted,
        found.observed,
        yerr=np.maximum([found.observed - found.low, found.high - found.observed], 0),
        marker=curve.marker,
        markersize=5,
        linewidth=1.2,
        elinewidth=0.8,
        label=f"{curve.label}: calibration error {found.expected_calibration_error:.3f}",
        **curve.style,
    )
    strip.hist(scores, np.linspace(0, 1, 26).tolist(), histtype="step", **curve.style)
