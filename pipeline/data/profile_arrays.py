"""Read scans once and write an array for each profile, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np

from pipeline.data.preprocessing import Profile, preprocess
from pipeline.data.reading.digests import pixel_sha1
from pipeline.data.reading.gray_reader import read_in_order
from pipeline.data.scans import Scan
from pipeline.data.splitting.near_duplicates import thumbnail
from pipeline.engine.arrays import ArrayWriter
from pipeline.engine.errors import DataError


@dataclass
class ReadScans:
    """What came of reading: the scans that are in the arrays, their pixel hashes and thumbnails, and the failures by id."""

    kept: list[Scan] = field(default_factory=list)
    pixel_hashes: dict[str, str] = field(default_factory=dict)
    thumbnails: dict[str, np.ndarray] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def write_profile_arrays(
    scans: list[Scan], profiles: Mapping[str, Profile], open_writer: Callable[[str, Profile], ArrayWriter],
    track: Callable[[Iterable], Iterable], workers: int = 2,
) -> ReadScans:
    """Preprocess every scan for every profile of its modality and append it to the profile's array.

    Rows follow the order of ``scans``; a scan that cannot be read is named in ``failures`` and gets no row.
    """  # fmt: skip
    read = ReadScans()
    with ExitStack() as stack:
        writers = {name: stack.enter_context(open_writer(name, profile)) for name, profile in profiles.items()}
        pixels = read_in_order((scan.path for scan in scans), workers)
        for scan, gray in zip(scans, track(pixels), strict=True):
            if isinstance(gray, DataError):
                read.failures[scan.id] = gray.message
                continue
            read.kept.append(scan)
            read.pixel_hashes[scan.id] = pixel_sha1(gray)
            read.thumbnails[scan.id] = thumbnail(gray)
            for name, profile in profiles.items():
                if profile.modality == scan.modality:
                    writers[name].append(preprocess(gray, profile)[None])
    return read


def refuse_many_failures(read: ReadScans, limit: float) -> None:
    """Raise DataError where more than ``limit`` (a share of all scans) could not be read."""
    total = len(read.kept) + len(read.failures)
    if len(read.failures) > limit * total:
        name, reason = next(iter(read.failures.items()))
        raise DataError(
            f"{len(read.failures)} of {total} scans cannot be read (limit {limit:.0%}); first: {name}: {reason}",
            "Mend or remove them, or raise max_unreadable.",
        )
