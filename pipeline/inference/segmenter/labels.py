"""Labelled images, with lung masks where there are any, to judge a segmenter on."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from pipeline.data.csv_rows import read_rows
from pipeline.data.layouts.class_mask_folders import IMAGES, MASKS, image_folders
from pipeline.data.layouts.pair_table import find_scan
from pipeline.data.layouts.patient_table import read_patient_table
from pipeline.data.layouts.source_images import SourceImage
from pipeline.data.layouts.unsorted_scans import read_any_folder
from pipeline.data.masks.mask_reader import MASK_THRESHOLD
from pipeline.data.reading.gray_reader import SUFFIXES, read_gray
from pipeline.engine.errors import DataError, did_you_mean

_NAMED = 5


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """An image with its class, its mask's file (None where it has none) and its patient ("" where unknown)."""

    source: SourceImage
    mask: Path | None
    patient_id: str


def read_labelled_images(data: Path, class_names: Sequence[str], warn: Callable[[str], None]) -> list[LabelledImage]:
    """Images of `{class}/images` with masks of the same stem in `{class}/masks`, or of a CSV image,label,mask(,patient_id).

    Patient ids of a folder come from its patients.csv or manifest.csv. Told through `warn`: images without a mask, masks
    without an image, a class of the bundle without a folder or a row.

    Raises DataError: nothing there, an unknown class (did-you-mean), a missing column, an image twice, two masks of one stem.
    """
    images = _read_folder(data, class_names, warn) if data.is_dir() else _read_table(data)
    present = {image.source.label for image in images}
    for label in sorted(present - set(class_names)):
        raise DataError(
            f"{data}: class {label!r} is not one of this bundle's.{did_you_mean(label, class_names)}",
            f"Its classes: {', '.join(class_names)}.",
        )
    if absent := [name for name in class_names if name not in present]:
        warn(f"no image of class {', '.join(absent)}: its metrics are undefined, and means over classes leave it out")
    bare = sum(image.mask is None for image in images)
    if bare:
        warn(f"{bare} of {len(images)} images have no mask: they count for the classes, not for the lungs")
    return images


def read_mask_at(path: Path, shape: tuple[int, int]) -> tuple[np.ndarray, bool]:
    """A mask file as bool ``shape`` and whether it had another size, from which it was stretched by nearest neighbour.

    Lung is where its gray value is over 127. Raises DataError: not a picture.
    """
    mask = (read_gray(path) > MASK_THRESHOLD).astype(np.uint8)
    if mask.shape == shape:
        return mask.astype(bool), False
    return cv2.resize(mask, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST).astype(bool), True


def _read_folder(root: Path, class_names: Sequence[str], warn: Callable[[str], None]) -> list[LabelledImage]:
    folders = image_folders(root)
    if not folders:
        raise DataError(
            f"{root}: no folder of it holds {IMAGES}/.",
            f"Lay it out as {{class}}/{IMAGES} and {{class}}/{MASKS} ({', '.join(class_names)}), or give a CSV.",
        )
    patients = read_patient_table(root)
    found = []
    for folder in folders:
        masks = _masks_by_stem(folder / MASKS)
        for scan in read_any_folder(folder / IMAGES):
            relative = PurePosixPath(scan.path.relative_to(root).as_posix())
            stem = PurePosixPath(scan.id).with_suffix("").as_posix()
            source = SourceImage(scan.path, relative, folder.name)
            found.append(LabelledImage(source, masks.pop(stem, None), patients.of(relative.as_posix()).patient_id))
        if masks:
            named = ", ".join(path.name for path in list(masks.values())[:_NAMED]) + (", …" if len(masks) > _NAMED else "")
            warn(f"{folder.name}: {len(masks)} masks have no image and are left out ({named})")
    return found


def _masks_by_stem(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    if not folder.is_dir():
        return found
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file():
            stem = path.relative_to(folder).with_suffix("").as_posix()
            if stem in found:
                raise DataError(f"{folder}: {found[stem].name} and {path.name} are masks of one image.", "Keep one of them.")
            found[stem] = path
    return found


def _read_table(table: Path) -> list[LabelledImage]:
    rows = read_rows(table)
    for column in ("image", "label", "mask"):
        if column not in rows[0]:
            raise DataError(
                f"{table}: no column {column!r}.{did_you_mean(column, rows[0])}",
                f"Needed are image, label, mask (its cells may be empty); patient_id where known. It has: {', '.join(rows[0])}.",
            )
    found, seen = [], {}
    for number, row in enumerate(rows, start=1):
        path = find_scan(row["image"], table.parent)
        if path is None:
            raise DataError(f"{table}: row {number} names no image.", "Fill its cell, or take the row out.")
        if row["image"] in seen:
            raise DataError(f"{table}: {row['image']} stands in row {seen[row['image']]} and in row {number}.", "Keep one.")
        seen[row["image"]] = number
        source = SourceImage(path, PurePosixPath(os.path.normpath(row["image"])), row["label"])
        found.append(LabelledImage(source, find_scan(row["mask"], table.parent), row.get("patient_id", "")))
    return found
