"""The pictures that a command draws of each image: where they lie, and heat maps among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.data.layouts.source_images import SourceImage, output_names
from pipeline.engine.errors import UsageError
from pipeline.engine.outputs import prepare_output, refuse_overwriting
from pipeline.inference.activation.overlays import METHODS, draw_activation
from pipeline.inference.answers import Finding
from pipeline.inference.pictures import write_png

Targets = dict[SourceImage, dict[str, Path]]


def picture_targets(
    sources: Sequence[SourceImage], out: Path | None, endings: Mapping[str, str], tables: Sequence[Path]
) -> Targets:
    """{image: {kind: file}} below `out`, where the image lies below what was given; `tables` are written beside them.

    endings: what follows the image's name, by kind. Raises UsageError where a file would fall on a source, or two on one place.
    """
    sources, targets = [image for image in sources if image.id], {}
    if out is not None and endings:
        for image, name in zip(sources, output_names(sources), strict=True):
            targets[image] = {kind: out / name.with_name(f"{name.name}{end}.png") for kind, end in endings.items()}
    written = [path for files in targets.values() for path in files.values()]
    if len({*written, *tables}) < len(written) + len(tables):
        raise UsageError("Two outputs have one name: an image is called as a table, or as another's mask or heat map.",
                         "Ask for one kind of picture at a time, or rename the image.")  # fmt: skip
    refuse_overwriting([*written, *tables], [image.path for image in sources])
    for path in tables:
        prepare_output(path)
    return targets


def write_heat_maps(
    files: Mapping[str, Path], gray: np.ndarray, finding: Finding, lungs: np.ndarray | None = None
) -> dict[str, float | None]:
    """Draw a finding's heat maps over its scan, uint8 (H, W), into the files of their methods.

    Returns how much of each lies in the lungs, bool (H, W), and the share of the picture that these are: {} without them.
    """
    measured: dict[str, float | None] = {}
    for method, activation in finding.activations.items():
        write_png(files[method], draw_activation(gray, activation, f"{METHODS[method]}: {finding.caption}"))
        if lungs is not None:
            from pipeline.evaluation.studies.lung_energy import lung_energy  # `predict` draws too, and has no lungs

            measured[f"{method}_lung_energy"], measured["lung_area"] = lung_energy(activation, lungs)
    return measured
