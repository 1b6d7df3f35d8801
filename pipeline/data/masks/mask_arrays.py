"""Lung masks beside the arrays of scans: row for row, empty where a scan has none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace

import numpy as np

from pipeline.data.masks.mask_reader import read_mask
from pipeline.data.preprocessing import Profile
from pipeline.data.scans import Scan
from pipeline.engine.arrays import ArrayWriter
from pipeline.engine.errors import DataError


def write_mask_arrays(
    scans: list[Scan], profiles: Mapping[str, Profile], open_writer: Callable[[str, Profile], ArrayWriter],
    track: Callable[[Iterable], Iterable],
) -> tuple[list[Scan], dict[str, str]]:
    """Append each scan's mask, uint8 ``(S, S)`` of 0 and 1, to the array of every profile of its modality.

    A scan without a mask gets an empty one; so does a scan whose mask cannot be read: it comes back with
    ``mask=None``, and the second result says why, by id.
    """  # fmt: skip
    marked, failures = [], {}
    with ExitStack() as stack:
        writers = {name: stack.enter_context(open_writer(name, profile)) for name, profile in profiles.items()}
        for scan in track(scans):
            mine = {name: profile.size for name, profile in profiles.items() if profile.modality == scan.modality}
            masks = {name: np.zeros((size, size), np.uint8) for name, size in mine.items()}
            if scan.mask is not None and mine:
                try:
                    masks = {name: read_mask(scan.mask, size) for name, size in mine.items()}
                except DataError as error:
                    failures[scan.id] = error.message
                    scan = replace(scan, mask=None)
            for name, mask in masks.items():
                writers[name].append(mask[None])
            marked.append(scan)
    return marked, failures
