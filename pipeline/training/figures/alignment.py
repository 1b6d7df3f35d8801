"""Figures of hiding the modality: what fresh probes read epoch by epoch, and maps of the features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from pipeline.data.run_classes import RunClasses
from pipeline.evaluation.comparison.alignment_words import CHANCE, PROBE_TITLES
from pipeline.evaluation.figures.style import GRAY, LINES, MARKERS, PALETTE, new_figure, set_panel_title, set_title
from pipeline.training.multitask.adversarial.modality_probes import ProbedRows

SHOWN_SCANS = 1200
MODALITY_TITLES = {1: "X-ray", 0: "CT slice"}


def readings_figure(history: Mapping[str, Any], tolerance: float) -> Figure:
    """Balanced accuracy of the fresh probes (left), and the fresh probe of the diagnosis (right), by epoch.

    history: of ``fit_alignment``, None where an epoch was not probed; ``tolerance``: up to which above chance the modality
    counts as hidden. The kept epoch is marked in both.
    """
    figure, (left, right) = new_figure(1, 2, 4.8, 3.6)
    for place, (probe, title) in enumerate(PROBE_TITLES.items()):
        _draw(left, history.get(f"probe_{probe}", []), title, place)
    left.axhspan(CHANCE - tolerance, CHANCE + tolerance, color=GRAY, alpha=0.18, linewidth=0, label="counts as hidden")
    left.axhline(CHANCE, color=GRAY, linewidth=0.8)
    left.set(xlabel="Epoch", ylabel="Balanced accuracy, X-ray or CT", title="Fresh probes, validation", ylim=(0.3, 1.02))
    _draw(right, history.get("val_label_loss", []), "fresh linear probe, validation", 0)
    right.set(xlabel="Epoch", ylabel="Loss of the diagnosis (nats)", title="The diagnosis")
    for axis in (left, right):
        axis.axvline(history["best_epoch"] + 1, color=GRAY, linewidth=1, linestyle=":", label="kept")
        axis.legend(fontsize=8, framealpha=0.9)
    return figure


def feature_map(features: Mapping[str, np.ndarray], rows: ProbedRows, classes: RunClasses) -> Figure:
    """First two principal components of the held-out scans' features, by modality (top) and by class (bottom).

    features: ``{what they are: (N, K)}``, a column each; standardised, as the probes see them.
    """
    figure, axes = new_figure(2, len(features), 3.1, 3.0)
    shown = rows.held[:: -(-len(rows.held) // SHOWN_SCANS)]
    groups = (
        {MODALITY_TITLES[value]: rows.modality[shown] == value for value in (1, 0)},
        {name: rows.labels[shown] == number for number, name in reversed(list(enumerate(classes.names)))},
    )
    for column, (name, values) in enumerate(features.items()):
        chosen = StandardScaler().fit(values[rows.held]).transform(values[shown])
        points = PCA(2, svd_solver="full").fit_transform(chosen) if values.shape[1] > 1 else np.repeat(chosen, 2, axis=1)
        for place, by in enumerate(groups):
            axis = axes[place * len(features) + column]
            _scatter(axis, points, by, place * 2)
            set_panel_title(axis, name if place == 0 else "", 3.1)
            axis.set(xticks=[], yticks=[])
        axes[column].set_ylabel("by modality\nsecond component" if column == 0 else "")
        axes[len(features) + column].set(ylabel="by class\nsecond component" if column == 0 else "", xlabel="first component")
    for place in (0, len(features)):
        axes[place].legend(fontsize=7, framealpha=0.9, markerscale=1.5)
    set_title(figure, f"Features of {len(shown)} validation scans, first two principal components of each")
    return figure


def _scatter(axis: Axes, points: np.ndarray, groups: Mapping[str, np.ndarray], colour: int) -> None:
    for place, (name, mine) in enumerate(groups.items(), start=colour):
        look = {"color": PALETTE[place % len(PALETTE)], "marker": MARKERS[place % len(MARKERS)]}
        style = {**look, "s": 7, "alpha": 0.6, "linewidths": 0}
        axis.scatter(points[mine, 0], points[mine, 1], label=name, **style)


def _draw(axis: Axes, course: Sequence[float | None], label: str, place: int) -> None:
    known = [(epoch, value) for epoch, value in enumerate(course, start=1) if value is not None]
    if known:
        style = {"color": PALETTE[place], "linestyle": LINES[place], "marker": MARKERS[place], "markersize": 4}
        axis.plot(*zip(*known, strict=True), label=label, linewidth=1.4, **style)
