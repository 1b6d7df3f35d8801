"""ROC curves, one class against the rest."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.evaluation.figures.panels import Curve, curve_panels, curves_figure
from pipeline.evaluation.figures.style import GRAY
from pipeline.evaluation.metrics.roc_band import roc_band
from pipeline.evaluation.tables.rows import Arms

TITLE = "ROC"
BAND, NO_BAND = "with 95 % band by patient", "in brackets 95 % intervals by patient"
# The bands of more curves than these cannot be told apart.
MOST_BANDS, OPACITY = 3, 0.18


def roc_figure(
    arms: Arms, document: Mapping | None = None, resamples: int = 300, seed: int = 0, title: str = TITLE
) -> Figure:
    """ROC with a 95 % patient-clustered bootstrap band for each curve of `curve_panels`; without bands where they are many.

    arms: arm -> modality -> rows; document: the comparison, or any {"modalities": {modality: {arm: {metric: interval}}}},
    whose AUC intervals the legend then gives, so that figure and table agree. title: what is shown; `BAND` or `NO_BAND` is added.
    """

    banded = all(len(panel.curves) <= MOST_BANDS for panel in curve_panels(arms))

    def draw(axis: Axes, curve: Curve) -> str:
        band = roc_band(curve.positive, curve.scores, curve.rows.patients, resamples, seed)
        rate = band.false_positive_rate
        axis.plot([0, 1], [0, 1], color=GRAY, linewidth=0.8, linestyle=":")
        if banded:
            axis.fill_between(rate, band.low, band.high, color=curve.style["color"], alpha=OPACITY, linewidth=0)
        axis.plot(rate, band.sensitivity, **curve.style)
        return f"AUC {curve.interval('auc', document, seed)}"

    title = f"{title}, {BAND if banded else NO_BAND}"
    return curves_figure(arms, title, ("False-positive rate (1 − specificity)", "Sensitivity"), "lower right", draw)
