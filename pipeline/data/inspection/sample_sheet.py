"""The sample sheet: one X-ray, one CT slice or both through the classical operations, a figure per family."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.data.inspection.sample_operations import Operation, families

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FAMILIES = ("threshold", "blur", "morphology", "edge", "histogram")


def sample_sheet(xray: np.ndarray | None = None, ct: np.ndarray | None = None) -> dict[str, Figure]:
    """{family: figure} for the families of `FAMILIES`; xray, ct: uint8 (H, W) as read, None for none.

    A row per modality, a column per operation, the scan itself first; the histogram family adds the
    gray-level histograms below each picture.
    """
    scans = {name: scan for name, scan in (("X-ray", xray), ("CT", ct)) if scan is not None}
    return {name: _figure(name, operations, scans) for name, operations in families().items()}


def _figure(family: str, operations: dict[str, Operation], scans: dict[str, np.ndarray]) -> Figure:
    from matplotlib.figure import Figure

    shown: dict[str, Operation] = {"as read": lambda gray: gray} | operations
    with_curves = family == "histogram"
    rows = len(scans) * (2 if with_curves else 1)
    figure = Figure(figsize=(1.9 * len(shown) + 0.25, 1.95 * rows + 0.6), dpi=110, layout="constrained")
    figure.suptitle(f"Sample sheet: {family}")
    panels = figure.subplots(rows, len(shown), squeeze=False)
    for place, (modality, gray) in enumerate(scans.items()):
        row = place * (2 if with_curves else 1)
        for column, (caption, operation) in enumerate(shown.items()):
            result = operation(gray)
            _picture(
                panels[row][column], result, caption if place == 0 else "", modality if column == 0 else ""
            )
            if with_curves:
                _curve(panels[row + 1][column], result, "share of pixels" if column == 0 else "")
    return figure


def _picture(axes, pixels: np.ndarray, title: str, modality: str) -> None:
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=9)
    axes.set_ylabel(modality, fontsize=10)


def _curve(axes, pixels: np.ndarray, label: str) -> None:
    counts = np.bincount(pixels.ravel(), minlength=256)
    axes.fill_between(np.arange(256), counts / pixels.size, step="mid", color="0.35")
    axes.set_xlabel("gray level", fontsize=8)
    axes.set_ylabel(label, fontsize=8)
    axes.set_yticks([])
    axes.tick_params(labelsize=7)
