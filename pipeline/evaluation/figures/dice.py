"""How well masks cover the true ones, scan by scan and class by class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from pipeline.evaluation.figures.style import GRAY, PALETTE, new_figure


def dice_figure(dice: ArrayLike, class_index: ArrayLike, class_names: Sequence[str], title: str = "") -> Figure:
    """Every scan's Dice as a dot, its class's mean as a bar across.

    dice: (N,) in [0, 1]; class_index: (N,) positions in class_names. The dots are spread sideways only to be told apart.
    """
    scores, classes = np.asarray(dice, np.float64), np.asarray(class_index)
    figure, (axis,) = new_figure(1, 1, max(3.6, 1.1 * len(class_names) + 1.6), 3.6)
    spread = np.random.default_rng(0).uniform(-0.25, 0.25, scores.size)
    for number in range(len(class_names)):
        mine = classes == number
        axis.plot(number + spread[mine], scores[mine], ".", color=PALETTE[number % len(PALETTE)], markersize=4, alpha=0.6)
        if mine.any():
            mean = scores[mine].mean()
            axis.hlines(mean, number - 0.35, number + 0.35, color="black", linewidth=1.5)
            axis.text(number + 0.37, mean, f"{mean:.3f}", va="center", fontsize=8, color=GRAY)
    axis.set_xticks(range(len(class_names)), class_names)
    axis.set(ylabel="Dice", title=title, ylim=(min(0.5, float(scores.min()) - 0.05) if scores.size else 0, 1.02))
    return figure
