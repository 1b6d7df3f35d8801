"""Calibration curves, one class against the rest."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.evaluation.figures.panels import COLUMNS, LEGEND_LINE_INCHES, Curve, Panel, curve_panels, stacked_axes
from pipeline.evaluation.figures.style import GRAY, PANEL_TITLE_SIZE, set_panel_title, set_title
from pipeline.evaluation.metrics.reliability import reliability
from pipeline.evaluation.tables.rows import Arms

PANEL_INCHES, STRIP_INCHES, WIDTH_INCHES = 3.5, 0.8, 4.2
# More curves than these in one panel, each with its bars, cannot be followed.
MOST_CURVES = 2
MOST_BINS, ROWS_A_BIN, FEWEST_ROWS = 8, 10, 20
# In fewer bins than these over- and underconfidence cancel out, and a calibration error says nothing.
FEWEST_BINS_OF_ERROR = 3
STRIP_BINS = 20
TITLE = "Calibration"
BARS = "bars: 95 % Wilson intervals"


def calibration_figure(arms: Arms, title: str = TITLE) -> Figure:
    """Observed share of a class against its mean predicted probability, in bins of equal count.

    The panels are those of `curve_panels`; one with more than MOST_CURVES curves becomes a panel for each. Of N rows there
    are N / ROWS_A_BIN bins, MOST_BINS at most; of fewer than FEWEST_ROWS no curve is drawn, and the panel says so. The
    probability averaged over trainings is drawn, with Wilson 95 % bars (rows as independent) and, below each panel, the
    distribution of the probabilities.
    """
    drawn = _panels(arms)
    # The legend has a row of its own: curves and bars may run anywhere in their panel.
    heights = (PANEL_INCHES, STRIP_INCHES, LEGEND_LINE_INCHES * (1 + max(len(panel.curves) for panel in drawn)))
    figure, blocks = stacked_axes(len(drawn), min(_columns(arms), len(drawn)), WIDTH_INCHES, heights)
    for axes, panel in zip(blocks, drawn, strict=True):
        _draw_panel(*axes, panel)
    set_title(figure, f"{title}; {BARS}")
    return figure


def _columns(arms: Arms) -> int:
    """Panels in a row: the curves of one panel that were taken apart, where they fit into it."""
    most = max(len(panel.curves) for panel in curve_panels(arms))
    return most if MOST_CURVES < most <= COLUMNS else COLUMNS


def _panels(arms: Arms) -> list[Panel]:
    panels = []
    for panel in curve_panels(arms):
        apart = [Panel(f"{panel.title}\n{curve.label}".strip(), (curve,)) for curve in panel.curves]
        panels += apart if len(panel.curves) > MOST_CURVES else [panel]
    return panels


def _draw_panel(axis: Axes, strip: Axes, legend: Axes, panel: Panel) -> None:
    """Curves, the distribution of their probabilities below, and their names below that."""
    axis.set_axis_on()
    strip.set_axis_on()
    strip.sharex(axis)
    rows = max(curve.positive.size for curve in panel.curves)
    shown = [curve for curve in panel.curves if not curve.missing] if rows >= FEWEST_ROWS else []
    if not shown:
        why = "rows of one class only" if rows >= FEWEST_ROWS else f"too few scans ({rows})\nfor a calibration curve"
        axis.text(0.5, 0.5, why, ha="center", va="center", color=GRAY)
    for curve in shown:
        _draw_curve(axis, curve)
    for curve in panel.curves:
        strip.hist(curve.scores.mean(axis=0), np.linspace(0, 1, STRIP_BINS + 1).tolist(), histtype="step", **curve.style)
    axis.plot([0, 1], [0, 1], color=GRAY, linewidth=0.8, linestyle=":")
    axis.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    set_panel_title(axis, panel.title, WIDTH_INCHES - 0.8)
    axis.set_xlabel("Mean predicted probability", fontsize=PANEL_TITLE_SIZE)
    axis.set_ylabel("Observed share of the class", fontsize=PANEL_TITLE_SIZE)
    strip.set_ylabel("Rows", fontsize=8)
    strip.tick_params(labelsize=7)
    strip.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    if shown:
        legend.legend(*axis.get_legend_handles_labels(), loc="upper center", fontsize=8, frameon=False)


def _draw_curve(axis: Axes, curve: Curve) -> None:
    count = int(curve.positive.size)
    found = reliability(curve.positive, curve.scores.mean(axis=0), min(MOST_BINS, count // ROWS_A_BIN))
    bins = len(found.rows)
    error = f"calibration error {found.expected_calibration_error:.3f}, " if bins >= FEWEST_BINS_OF_ERROR else ""
    axis.errorbar(
        found.predicted,
        found.observed,
        yerr=np.maximum([found.observed - found.low, found.high - found.observed], 0),
        marker=curve.marker,
        markersize=5,
        linewidth=1.2,
        elinewidth=0.8,
        label=f"{curve.label}: {error}{count} rows in {bins} bin{'s' if bins > 1 else ''}",
        **curve.style,
    )
