"""Which images a bundle is asked about, and under which names its outputs go."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from pipeline.data.folder_walk import FolderWalk
from pipeline.data.layouts.class_mask_folders import IMAGES, image_folders
from pipeline.data.layouts.unsorted_scans import read_any_folder
from pipeline.data.scans import Warn, warn_python
from pipeline.engine.errors import DataError, UsageError
from pipeline.engine.file_names import LONGEST, printable, short_name

# `_gradcam_plus_plus.png` and what the next kind of picture is called, in bytes.
ROOM_FOR_ENDINGS = 40


@dataclass(frozen=True, slots=True)
class SourceImage:
    """One image file. relative: where its outputs lie below the output folder. label: its true class, "" if unknown. patient:
    whose it is, "" where nobody asked or knows."""

    path: Path
    relative: PurePosixPath
    label: str = ""
    patient: str = ""

    @property
    def id(self) -> str:
        """Its name in tables and messages."""
        return printable(self.relative.as_posix()) if self.relative.parts else ""

    @property
    def copied(self) -> dict[str, str]:
        """What goes through to its row of answers."""
        told = {"label": self.label, "patient_id": self.patient}
        return {name: value for name, value in told.items() if value}


# A case without an image: a note is all there is.
NOTE_ALONE = SourceImage(Path(), PurePosixPath())


def find_images(
    given: Sequence[Path], num_samples: int | None = None, seed: int = 0, warn: Warn = warn_python
) -> list[SourceImage]:
    """The images that were named, and those below the folders that were named, each once.

    A folder of `{class}/images` gives those images with their class; masks beside them are left out. Any other folder
    gives every image below it. A named file that is not there is kept: it fails by name when it is read.
    `relative` starts from the folder, or from what all that was given has in common. `num_samples` of them are drawn
    with `seed`, in their order. warn: told of what was left out of the folders.

    Raises UsageError (nothing given), DataError (a folder without an image).
    """
    if not given:
        raise UsageError("No image was named.", "Name images, or a folder of them.")
    places = [Path(os.path.abspath(path)) for path in given]
    root = _common_folder([place if path.is_dir() else place.parent for place, path in zip(places, given, strict=True)])
    found: dict[Path, SourceImage] = {}
    for place, path in zip(places, given, strict=True):
        for file, label in _images_of(path, warn) if path.is_dir() else [(path, "")]:
            inside = place / file.relative_to(path) if path.is_dir() else place
            found.setdefault(inside, SourceImage(file, PurePosixPath(inside.relative_to(root).as_posix()), label))
    images = list(found.values())
    if num_samples is not None and num_samples < len(images):
        chosen = np.sort(np.random.default_rng(seed).choice(len(images), num_samples, replace=False))
        images = [images[number] for number in chosen]
    return images


def output_names(images: Iterable[SourceImage]) -> list[PurePosixPath]:
    """A path without suffix for each image's outputs; two that differ by their suffix only keep it as part of the name.

    A name that leaves no room for what outputs add to it is shortened with a digest (see `short_name`).
    """
    images = list(images)
    stems = Counter(image.relative.with_suffix("") for image in images)
    whole = (
        image.relative.with_suffix("") if stems[image.relative.with_suffix("")] == 1 else image.relative for image in images
    )
    return [name.with_name(short_name(name.name, LONGEST - ROOM_FOR_ENDINGS)) if name.name else name for name in whole]


def _common_folder(folders: Sequence[Path]) -> Path:
    try:
        return Path(os.path.commonpath(folders))
    except ValueError as cause:
        drives = ", ".join(sorted({folder.drive for folder in folders}))
        raise UsageError(f"The images lie on several drives ({drives}).", "Name those of one drive at a time.") from cause


def _images_of(folder: Path, warn: Warn) -> list[tuple[Path, str]]:
    walk = FolderWalk(folder)
    classes = image_folders(walk)
    if not classes:
        return [(scan.path, "") for scan in read_any_folder(folder, warn)]
    found = [(path, place.name) for place in classes for path in walk.scan_files(place / IMAGES)]
    walk.tell(warn)
    if not found:
        raise DataError(f"{folder}: no image in any {{class}}/{IMAGES} below it.", "Check the folder.")
    return found
