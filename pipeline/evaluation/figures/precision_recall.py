"""Precision-recall curves, one class against the rest."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve

from pipeline.evaluation.figures.panels import Curve, curves_figure
from pipeline.evaluation.tables.rows import Arms

TITLE = "Precision and recall"
KEY = "AP: average precision, thin dotted: the class's share"
THIN_DOTTED = (0, (1, 4))


def precision_recall_figure(arms: Arms, document: Mapping | None = None, seed: int = 0, title: str = TITLE) -> Figure:
    """Precision against recall of each class, with its average precision and the precision of guessing (its share).

    Arguments as in `roc_figure`; of several trainings the mean answer is drawn. Steps, not lines: between two thresholds no
    classifier is to be had (Davis & Goadrich 2006).
    """

    def draw(axis: Axes, curve: Curve) -> str:
        precision, recall, _ = precision_recall_curve(curve.positive, curve.scores.mean(axis=0))
        share = float(np.mean(curve.positive))
        axis.plot(recall, precision, drawstyle="steps-post", **curve.style)
        axis.axhline(share, color=curve.style["color"], linestyle=THIN_DOTTED, linewidth=1.0)
        return f"AP {curve.interval('average_precision', document, seed)}, share {share:.2f}"

    return curves_figure(arms, f"{title}; {KEY}", ("Recall (sensitivity)", "Precision"), "lower left", draw)
