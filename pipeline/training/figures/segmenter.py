"""Figures of the multi-head UNet: curves of its training, and masks laid over scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from pipeline.evaluation.figures.style import GRAY, PALETTE, new_figure, set_title
from pipeline.evaluation.metrics.segmentation import outline
from pipeline.training.figures.training_curves import PART_STYLES

CURVES = {
    "loss": "Loss",
    "seg_loss": "Segmentation loss",
    "cls_loss": "Classification loss (nats)",
    "accuracy": "Accuracy",
    "dice": "Mean Dice",
    "auc": "Macro AUC",
}
TRUE_COLOR, SAID_COLOR = PALETTE[2], PALETTE[1]


def training_figure(history: Mapping[str, Sequence[float]], best: int, names: Sequence[str], title: str = "") -> Figure:
    """One panel for each of CURVES in ``names``, training and validation together; the kept epoch is marked.

    history: column name → one value an epoch; validation's columns begin with ``val_``. Where ``image_size`` changes,
    a line says the size that begins there: losses on its two sides are not of the same pictures.
    """
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure, axes = new_figure(rows, columns, 4.2, 3.2)
    for axis, name in zip(axes, names, strict=False):
        _draw_curves(axis, history, name, best)
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    set_title(figure, title or f"Training of the segmenter: epoch {best + 1} was kept")
    return figure


def _draw_curves(axis, history: Mapping[str, Sequence[float]], name: str, best: int) -> None:
    for label, column in (("training", name), ("validation", f"val_{name}")):
        if column in history:
            values = history[column]
            axis.plot(range(1, len(values) + 1), values, label=label, linewidth=1.4,
                      marker="o" if len(values) == 1 else None, **PART_STYLES[label])  # fmt: skip
    axis.axvline(best + 1, color=GRAY, linewidth=0.8, linestyle=":", label="kept epoch")
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    sizes = list(history.get("image_size", ()))
    for epoch in range(1, len(sizes)):
        if sizes[epoch] != sizes[epoch - 1]:
            axis.axvline(epoch + 0.5, color=GRAY, linewidth=0.8, linestyle="--", label=f"{sizes[epoch]:.0f} px from here")
    axis.set(xlabel="Epoch", ylabel=CURVES[name])
    axis.legend(fontsize=8, framealpha=0.9)


def overlay_figure(
    images: NDArray[np.uint8], true: NDArray[np.bool_], said: NDArray[np.bool_], captions: Sequence[str], title: str = ""
) -> Figure:
    """Scans with the outlines of the true mask (green) and of the predicted one (orange), four in a row.

    images: ``(n, S, S)``; true, said: ``(n, S, S)`` bool, an empty true mask is not drawn.
    """
    columns = min(4, len(images))
    figure, axes = new_figure(-(-len(images) // columns), columns, 3.0, 3.3)
    for axis in axes:
        axis.set_axis_off()
    for axis, image, truth, answer, caption in zip(axes, images, true, said, captions, strict=False):
        axis.imshow(_outlined(image, truth, answer))
        axis.set_title(caption, fontsize=8)
    set_title(figure, f"{title}: true outline green, predicted orange" if title else "")
    return figure


def _outlined(image: NDArray[np.uint8], true: NDArray[np.bool_], said: NDArray[np.bool_]) -> NDArray[np.uint8]:
    colored = np.repeat(image[..., None], 3, axis=-1)
    for mask, color in ((true, TRUE_COLOR), (said, SAID_COLOR)):
        if mask.any():
            colored[outline(mask)] = [int(color[place : place + 2], 16) for place in (1, 3, 5)]
    return colored
