"""Which images a bundle is asked about, and under which names its outputs go."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from pipeline.data.layouts.class_mask_folders import IMAGES, image_folders
from pipeline.data.layouts.scan_files import scan_files
from pipeline.data.layouts.unsorted_scans import read_any_folder
from pipeline.engine.errors import DataError, UsageError


@dataclass(frozen=True, slots=True)
class SourceImage:
    """One image file. relative: where its outputs lie below the output folder. label: its true class, "" if unknown."""

    path: Path
    relative: PurePosixPath
    label: str = ""

    @property
    def id(self) -> str:
        """Its name in tables and messages."""
        return self.relative.as_posix() if self.relative.parts else ""

    @property
    def copied(self) -> dict[str, str]:
        """What goes through to its row of answers."""
        return {"label": self.label} if self.label else {}


# A case without an image: a note is all there is.
NOTE_ALONE = SourceImage(Path(), PurePosixPath())


def find_images(given: Sequence[Path], num_samples: int | None = None, seed: int = 0) -> list[SourceImage]:
    """The images that were named, and those below the folders that were named, each once.

    A folder of `{class}/images` gives those images with their class; masks beside them are left out. Any other folder
    gives every image below it. A named file that is not there is kept: it fails by name when it is read.
    `relative` starts from the folder, or from what all that was given has in common. `num_samples` of them are drawn
    with `seed`, in their order.

    Raises UsageError (nothing given), DataError (a folder without an image).
    """
    if not given:
        raise UsageError("No image was named.", "Name images, or a folder of them.")
    places = [Path(os.path.abspath(path)) for path in given]
    root = Path(os.path.commonpath([place if path.is_dir() else place.parent for place, path in zip(places, given, strict=True)]))
    found: dict[Path, SourceImage] = {}
    for place, path in zip(places, given, strict=True):
        for file, label in _images_of(path) if path.is_dir() else [(path, "")]:
            inside = place / file.relative_to(path) if path.is_dir() else place
            found.setdefault(inside, SourceImage(file, PurePosixPath(inside.relative_to(root).as_posix()), label))
    images = list(found.values())
    if num_samples is not None and num_samples < len(images):
        chosen = np.sort(np.random.default_rng(seed).choice(len(images), num_samples, replace=False))
        images = [images[number] for number in chosen]
    return images


def output_names(images: Iterable[SourceImage]) -> list[PurePosixPath]:
    """A path without suffix for each image's outputs; two that differ by their suffix only keep it as part of the name."""
    images = list(images)
    stems = Counter(image.relative.with_suffix("") for image in images)
    return [
        image.relative.with_suffix("") if stems[image.relative.with_suffix("")] == 1 else image.relative for image in images
    ]


def _images_of(folder: Path) -> list[tuple[Path, str]]:
    classes = image_folders(folder)
    if not classes:
        return [(scan.path, "") for scan in read_any_folder(folder)]
    found = [(path, place.name) for place in classes for path in scan_files(place / IMAGES)]
    if not found:
        raise DataError(f"{folder}: no image in any {{class}}/{IMAGES} below it.", "Check the folder.")
    return found
