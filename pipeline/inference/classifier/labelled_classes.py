"""Labelled images to judge a classifier on: anybody's class folders, or a table."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.data.csv_rows import read_rows
from pipeline.data.layouts.class_folders import read_class_folders
from pipeline.data.layouts.pair_table import find_scan
from pipeline.data.layouts.source_images import SourceImage
from pipeline.data.scans import TEST
from pipeline.engine.errors import DataError, did_you_mean


@dataclass(frozen=True, slots=True)
class LabelledClass:
    """An image with its class (in `source.label`), its patient ("" where unknown), its lung mask and note (None where none)."""

    source: SourceImage
    patient_id: str
    mask: Path | None = None
    note: str | None = None


def read_labelled_classes(data: Path, class_names: Sequence[str], warn: Callable[[str], None]) -> list[LabelledClass]:
    """Images of `{class}/`, of `{train,val,test}/{class}/` (the test part alone), or of a CSV
    image,label(,patient_id,mask,note). Masks of folders: see `read_class_folders`.

    Told through `warn`: a class of the bundle that the data lacks, images without a patient.

    Raises DataError: nothing there, classes that the bundle does not have (did-you-mean), one class only, a missing
    column, an image without a name or twice.
    """
    images = _read_folder(data, warn) if data.is_dir() else _read_table(data, warn)
    present = {image.source.label for image in images}
    _refuse_other_classes(data, present, class_names)
    if len(present) < 2:
        (only,) = present
        others = " or ".join(name for name in class_names if name != only)
        raise DataError(f"{data}: every image is {only}, one class cannot be judged.", f"Add images of {others}.")
    if absent := [name for name in class_names if name not in present]:
        warn(f"no image of class {', '.join(absent)}: its metrics are undefined, and means over classes leave it out")
    return images


def _refuse_other_classes(data: Path, present: set[str], class_names: Sequence[str]) -> None:
    unknown = sorted(present - set(class_names))
    if not unknown:
        return
    its = f"Its classes: {', '.join(class_names)}. Move the others away, or use a bundle that has them."
    if len(present) > len(class_names):
        raise DataError(
            f"{data}: {len(present)} classes, this bundle tells {len(class_names)} apart: "
            f"{', '.join(map(repr, unknown))} {'is' if len(unknown) == 1 else 'are'} none of its.",
            its,
        )
    raise DataError(f"{data}: class {unknown[0]!r} is not one of this bundle's.{did_you_mean(unknown[0], class_names)}", its)


def _read_folder(root: Path, warn: Callable[[str], None]) -> list[LabelledClass]:
    scans = read_class_folders(root, warn)
    if any(scan.split for scan in scans):
        tests = [scan for scan in scans if scan.split == TEST]
        if tests:
            warn(f"{root}: only its test part is judged, {len(tests)} of {len(scans)} images")
            scans = tests
        else:
            warn(f"{root}: has no test part; all of it is judged, the bundle may have been trained on it")
    return [
        LabelledClass(SourceImage(scan.path, PurePosixPath(scan.id), scan.label), scan.patient_id, scan.mask) for scan in scans
    ]


def _read_table(table: Path, warn: Callable[[str], None]) -> list[LabelledClass]:
    rows = read_rows(table)
    for column in ("image", "label"):
        if column not in rows[0]:
            raise DataError(
                f"{table}: no column {column!r}.{did_you_mean(column, rows[0])}",
                f"Needed are image, label; patient_id where known. It has: {', '.join(rows[0])}.",
            )
    found, seen = [], {}
    for number, row in enumerate(rows, start=1):
        path = find_scan(row["image"], table.parent)
        if path is None or not row["label"]:
            lacks = "image" if path is None else "label"
            raise DataError(f"{table}: row {number} has no {lacks}.", "Fill it, or take the row out.")
        if row["image"] in seen:
            raise DataError(f"{table}: {row['image']} stands in row {seen[row['image']]} and in row {number}.", "Keep one.")
        seen[row["image"]] = number
        source = SourceImage(path, PurePosixPath(os.path.normpath(row["image"])), row["label"])
        found.append(LabelledClass(source, row.get("patient_id", ""), find_scan(row.get("mask", ""), table.parent),
                                   row.get("note") or None))  # fmt: skip
    unknown = sum(not image.patient_id for image in found)
    if unknown:
        warn(f"{table}: {unknown} of {len(found)} images have no patient_id; each counts as a patient")
    return found
