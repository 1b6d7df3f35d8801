"""Figures of an inspection: counts, image sizes, intensity distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.data.inspection.survey import Inspection

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe & Ito's colours, told apart by colour-blind readers.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
LINES = ("-", "--", ":", "-.")
MARKERS = "os^Dv*"
TITLES = {"xray": "X-ray", "ct": "CT"}


def inspection_figures(inspection: Inspection) -> dict[str, Figure]:
    """{"counts" | "sizes" | "intensity": figure}."""
    return {"counts": _counts(inspection), "sizes": _sizes(inspection), "intensity": _intensity(inspection)}


def _counts(inspection: Inspection) -> Figure:
    from matplotlib.figure import Figure

    rows = inspection.document()["counts"]
    groups = sorted({(row["modality"], row["source"], row["label"]) for row in rows})
    splits = [split for split in ("train", "valid", "test", "") if any(row["split"] == split for row in rows)]
    figure = Figure(figsize=(8, 1.6 + 0.32 * len(groups)), dpi=110, layout="constrained")
    axes = figure.subplots()
    start = np.zeros(len(groups))
    for split, colour in zip(splits, COLOURS, strict=False):
        heights = np.array(
            [
                sum(
                    row["scans"]
                    for row in rows
                    if row["split"] == split and (row["modality"], row["source"], row["label"]) == group
                )
                for group in groups
            ]
        )
        axes.barh(range(len(groups)), heights, left=start, color=colour, label=split or "no split")
        start += heights
    axes.set_yticks(range(len(groups)), [_caption(group) for group in groups], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("scans")
    axes.set_title("Scans by modality, source, label and split")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _sizes(inspection: Inspection) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=110, layout="constrained")
    axes = figure.subplots()
    for place, ((source, modality, label), found) in enumerate(inspection.pixels.items()):
        axes.scatter(
            found.widths,
            found.heights,
            # open and each larger than the one before: groups of one size lie around each other, none hides another
            s=14 + 22 * (place % len(COLOURS)),
            alpha=0.7,
            facecolors="none",
            edgecolors=COLOURS[place % len(COLOURS)],
            marker=MARKERS[place % len(MARKERS)],
            label=_caption((modality, source, label)),
        )
    axes.set_xlabel("width, px")
    axes.set_ylabel("height, px")
    axes.set_title("Image sizes: sizes that tell a label apart are a shortcut")
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _intensity(inspection: Inspection) -> Figure:
    from matplotlib.figure import Figure

    modalities = sorted({modality for _, modality, _ in inspection.pixels})
    figure = Figure(figsize=(8, 3.6 * max(1, len(modalities))), dpi=110, layout="constrained")
    panels = figure.subplots(max(1, len(modalities)), 1, squeeze=False)
    for axes, modality in zip(panels[:, 0], modalities, strict=False):
        groups = [group for group in inspection.pixels if group[1] == modality]
        for place, (source, _, label) in enumerate(groups):
            histogram = inspection.pixels[(source, modality, label)].histogram
            axes.plot(
                histogram / histogram.sum(),
                color=COLOURS[place % len(COLOURS)],
                linestyle=LINES[place % len(LINES)],
                linewidth=1.2,
                label=_caption(("", source, label)),
            )
        axes.set_yscale("log")
        axes.set_xlabel("gray level")
        axes.set_ylabel("share of pixels")
        axes.set_title(f"Gray levels, {TITLES.get(modality, modality) or 'modality unknown'}")
        axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _caption(parts: tuple[str, str, str]) -> str:
    return " / ".join(TITLES.get(part, part) for part in parts if part)
