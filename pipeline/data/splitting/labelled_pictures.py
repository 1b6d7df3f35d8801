"""Labelled pictures of which one and the same has two classes: by their pixels, and nearly so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from pipeline.data.reading.digests import pixel_sha1
from pipeline.data.reading.gray_reader import read_in_order
from pipeline.data.scans import Scan, Warn
from pipeline.data.splitting.leakage import find_leakage
from pipeline.data.splitting.near_duplicates import thumbnail
from pipeline.engine.errors import DataError
from pipeline.engine.listing import listed


def warn_of_copies(data: Path, labelled: Sequence[tuple[str, Path, str]], warn: Warn) -> None:
    """Tell of pictures that have two classes, of which whatever a bundle answers is wrong once: identical ones and those that
    are nearly one; and of identical ones of one class, which count more than once.

    labelled: id, file and class of each. Files that cannot be read are left aside.
    """
    hashes, thumbnails = {}, {}
    scans = [Scan(str(number), path, "", label) for number, (_, path, label) in enumerate(labelled)]
    for scan, gray in zip(scans, read_in_order(scan.path for scan in scans), strict=True):
        if not isinstance(gray, DataError):
            hashes[scan.id], thumbnails[scan.id] = pixel_sha1(gray), thumbnail(gray)
    found = find_leakage(scans, hashes, thumbnails)
    if found.conflicts:
        groups = [_named(labelled, group) for group in found.conflicts]
        warn(f"{data}: {len(groups)} pictures have two classes, one answer of each is wrong whatever it is: {listed(groups)}")
    groups = [_named(labelled, group) for group in found.copies if group not in found.conflicts]
    if groups:
        warn(f"{data}: {len(groups)} pictures are there more than once, and count so often: {listed(groups)}")
    if found.near_conflicts:
        pairs = [_named(labelled, (pair.first.id, pair.second.id)) for pair in found.near_conflicts]
        warn(f"{data}: {len(pairs)} pairs are nearly one picture under two classes: {listed(pairs)}")


def _named(labelled: Sequence[tuple[str, Path, str]], places: Sequence[str]) -> str:
    by_class: dict[str, list[str]] = defaultdict(list)
    for place in places:
        name, _, label = labelled[int(place)]
        by_class[label].append(name)
    if len(by_class) == 1:
        return " = ".join(next(iter(by_class.values())))
    return " = ".join(f"{name} ({label})" for label, names in by_class.items() for name in names)
