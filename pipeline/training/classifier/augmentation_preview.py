"""What the augmentation of a configuration does to a scan, as a figure: each operation alone, then all together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pipeline.data.phantom import make_patient
from pipeline.data.preprocessing import resize_square
from pipeline.data.reading.gray_reader import read_gray
from pipeline.evaluation.figures.style import new_figure
from pipeline.training.image_augmentation import OFF, AugmentationSettings, augment

DRAWS = 5
PHANTOM_SEED = 7
SINGLE = {
    "flip": ("flip",),
    "rotation": ("rotation", "rotation_degrees"),
    "random crop": ("crop_from",),
    "brightness, contrast, gamma": ("jitter", "brightness", "contrast", "gamma"),
    "CLAHE": ("clahe", "clahe_clip"),
    "noise": ("noise", "noise_sigma"),
    "blur": ("blur", "blur_sigma"),
    "coarse dropout": ("coarse_dropout",),
    "grid dropout": ("grid_dropout", "grid_share"),
}
CHANCES = ("flip", "rotation", "jitter", "clahe", "noise", "blur", "coarse_dropout", "grid_dropout")


def switched_on(settings: AugmentationSettings) -> dict[str, AugmentationSettings]:
    """Each operation of the settings that can happen, alone and with certainty, by its name."""
    alone = {}
    for name, fields in SINGLE.items():
        if getattr(settings, fields[0]):
            values = {field: 1.0 if field in CHANCES else getattr(settings, field) for field in fields}
            alone[name] = OFF.model_copy(update=values)
    return alone


def augmentation_figure(settings: AugmentationSettings, pixels: np.ndarray, seed: int = 0) -> Figure:
    """A row for each operation that is on, and a last one for all as a training draws them.

    Args:
        pixels: one scan, uint8 ``(S, S)``; it stands at the left of every row.
    """
    rows = {**switched_on(settings), "as in training": settings}
    figure, axes = new_figure(len(rows), DRAWS + 1, 1.7, 1.85)
    for row, (name, chosen) in enumerate(rows.items()):
        draws = [augment(pixels, chosen, np.random.default_rng([seed, row, place])) for place in range(DRAWS)]
        for place, picture in enumerate([pixels, *draws]):
            axis = axes[row * (DRAWS + 1) + place]
            axis.imshow(picture, cmap="gray", vmin=0, vmax=255)
            axis.set_axis_off()
            if place == 0:
                axis.set_title("scan" if row == 0 else "", fontsize=8)
            elif place == 1:
                axis.set_title(name, fontsize=8, loc="left")
    return figure


def preview_scan(size: int, image: Path | None = None) -> np.ndarray:
    """The scan of a preview, uint8 ``(size, size)``: a file of the user's, else a generated X-ray.

    Raises:
        DataError: the file cannot be read.
    """
    if image is not None:
        return resize_square(read_gray(image), size)
    return resize_square(make_patient(PHANTOM_SEED, "normal").xray, size)


def write_preview(settings: AugmentationSettings, size: int, out: Path, image: Path | None = None, seed: int = 0) -> Path:
    """Write ``augmentation_figure`` as PNG; returns where it lies."""
    figure = augmentation_figure(settings, preview_scan(size, image), seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, format="png", metadata={"Software": None})
    return out
