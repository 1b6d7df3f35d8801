"""Which pooled features speak for a class, on the average of the images that were given it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from pipeline.evaluation.figures.style import GRAY, PALETTE, new_figure, set_title

SHOWN = 15
FAINT = "#CCCCCC"
FOR, AGAINST = PALETTE[0], PALETTE[1]


def head_shap_figure(classes: Mapping[str, Mapping[str, Any]], background: str) -> Figure:
    """A panel a class: its strongest features, the mean |SHAP value| as a faint bar, the mean value as a coloured one.

    classes: {class: {"images": n, "expected_logit": float, "features": [{"feature", "mean_absolute", "mean"}, …]}}, the
    features strongest first, as `shap_document` gives them. Where all images were given one class and are the background
    themselves, their mean values are zero, as they must be.
    """
    figure, axes = new_figure(1, len(classes), 4.2, 0.22 * SHOWN + 1.2)
    for axis, (name, told) in zip(axes, classes.items(), strict=True):
        shown: Sequence[Mapping[str, Any]] = told["features"][:SHOWN]
        places = range(len(shown))
        means = [entry["mean"] for entry in shown]
        axis.barh(places, [entry["mean_absolute"] for entry in shown], color=FAINT)
        colours = [FOR if mean >= 0 else AGAINST for mean in means]
        axis.barh(places, means, height=0.4, color=colours)
        axis.axvline(0, color=GRAY, linewidth=0.8)
        axis.set_yticks(places, [str(entry["feature"]) for entry in shown])
        axis.invert_yaxis()
        axis.set(xlabel="mean SHAP value (logit)", ylabel="feature")
        axis.set_title(f"{name}, {told['images']} image{'s' if told['images'] != 1 else ''}, "
                       f"expected logit {told['expected_logit']:.2f}", fontsize=9)  # fmt: skip
    handles = [Patch(color=colour) for colour in (FAINT, FOR, AGAINST)]
    labels = ["mean |value|", "mean value, for the class", "mean value, against it"]
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=8)
    set_title(figure, f"What the head reads; background: {background}")
    return figure
