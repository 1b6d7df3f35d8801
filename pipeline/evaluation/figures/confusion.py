"""Confusion matrices of the arms and modalities."""

import numpy as np
from matplotlib.figure import Figure

from pipeline.evaluation.figures.modality_titles import title_of
from pipeline.evaluation.figures.style import new_figure, set_title


def confusion_figure(
    confusions: dict[str, dict[str, dict[str, int]]], class_names: tuple[str, str] = ("Non_COVID", "COVID")
) -> Figure:
    """A matrix for each modality (rows of the figure) and arm (columns).

    confusions: modality -> arm -> {"tn", "fp", "fn", "tp"}, as in a comparison's `confusion`; class_names:
    negative, positive. Each cell gives the count and its share of the true class.
    """
    arms = list(dict.fromkeys(arm for counts in confusions.values() for arm in counts))
    figure, axes = new_figure(len(confusions), len(arms), 3.1, 3.1)
    for row, (modality, by_arm) in enumerate(confusions.items()):
        for column, arm in enumerate(arms):
            axis = axes[row * len(arms) + column]
            if arm not in by_arm:
                axis.set_axis_off()
                continue
            counts = by_arm[arm]
            matrix = np.array([[counts["tn"], counts["fp"]], [counts["fn"], counts["tp"]]], dtype=np.float64)
            totals = matrix.sum(axis=1, keepdims=True)
            shares = np.divide(matrix, totals, out=np.zeros_like(matrix), where=totals > 0)
            axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
            axis.spines[:].set_visible(False)
            for i, j in np.ndindex(2, 2):
                text = f"{int(matrix[i, j])}\n{shares[i, j]:.1%}" if totals[i, 0] else f"{int(matrix[i, j])}"
                ink = "white" if shares[i, j] > 0.55 else "black"
                axis.text(j, i, text, ha="center", va="center", color=ink)
            axis.set_xticks([0, 1], class_names)
            axis.set_yticks([0, 1], class_names, rotation=90, va="center")
            axis.set(xlabel="Predicted", ylabel="True", title=f"{title_of(modality)}, {arm}")
    set_title(figure, "Seed-averaged prediction: count and share of the true class")
    return figure
