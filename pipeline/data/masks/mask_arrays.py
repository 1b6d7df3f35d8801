"""Lung masks beside the arrays of scans: row for row, empty where a scan has none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from pipeline.data.masks.mask_coding import MaskCoding, read_mask_coding
from pipeline.data.masks.mask_reader import read_lungs, resize_mask, share_fault
from pipeline.data.preprocessing import Profile
from pipeline.data.scans import Scan
from pipeline.engine.arrays import ArrayWriter
from pipeline.engine.errors import DataError


@dataclass
class WrittenMasks:
    """What came of the masks: the scans, ``mask=None`` where theirs could not be read; why, by id; what is odd about those
    that were read, by id; and how the values of each set were taken."""

    scans: list[Scan] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    doubts: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)


def read_codings(scans: Iterable[Scan], labels: Sequence[str | int] = ()) -> dict[str, MaskCoding]:
    """``{source: what its masks' values mean}``: each set by itself, for sets are marked by different hands.

    Raises what `read_mask_coding` raises.
    """
    masks: dict[str, list[Path]] = defaultdict(list)
    for scan in scans:
        if scan.mask is not None:
            masks[scan.source].append(scan.mask)
    return {
        source: read_mask_coding(paths, labels, f"the masks of {source}" if source else "the masks")
        for source, paths in masks.items()
    }


def unreadable_masks(scans: Iterable[Scan], labels: Sequence[str | int] = ()) -> dict[str, str]:
    """{scan's id: why} of the masks that a run would go on without. Raises what `read_mask_coding` raises."""
    scans, failures = [scan for scan in scans if scan.mask is not None], dict[str, str]()
    codings = read_codings(scans, labels)
    for scan in scans:
        try:
            read_lungs(scan.mask, codings[scan.source])
        except DataError as error:
            failures[scan.id] = error.message
    return failures


def write_mask_arrays(
    scans: Sequence[Scan], profiles: Mapping[str, Profile], open_writer: Callable[[str, Profile], ArrayWriter],
    track: Callable[[Iterable], Iterable], labels: Sequence[str | int] = (),
) -> WrittenMasks:
    """Append each scan's mask, uint8 ``(S, S)`` of 0 and 1, to the array of every profile of its modality.

    A scan without a mask gets an empty one; so does a scan whose mask cannot be read. labels: the values that are lung,
    where the rule of `mask_coding` cannot tell; raises what it raises.
    """  # fmt: skip
    modalities = {profile.modality for profile in profiles.values()}
    codings = read_codings((scan for scan in scans if scan.modality in modalities), labels)
    written = WrittenMasks(said=[coding.said for coding in codings.values() if coding.said])
    with ExitStack() as stack:
        writers = {name: stack.enter_context(open_writer(name, profile)) for name, profile in profiles.items()}
        for scan in track(scans):
            mine = {name: profile.size for name, profile in profiles.items() if profile.modality == scan.modality}
            masks = {name: np.zeros((size, size), np.uint8) for name, size in mine.items()}
            if scan.mask is not None and mine:
                try:
                    lungs = read_lungs(scan.mask, codings[scan.source])
                except DataError as error:
                    written.failures[scan.id] = error.message
                    scan = replace(scan, mask=None)
                else:
                    masks = {name: resize_mask(lungs, (size, size)) for name, size in mine.items()}
                    if (doubt := share_fault(lungs)) is not None:
                        written.doubts[scan.id] = doubt
            for name, mask in masks.items():
                writers[name].append(mask[None])
            written.scans.append(scan)
    return written
