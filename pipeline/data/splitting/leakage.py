"""What one side of a split knows of another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.data.scans import Scan


@dataclass(frozen=True)
class Leakage:
    """patients: {patient id: its splits}, those in more than one. pixels: groups of scan ids with identical
    pixels in more than one split. conflicts: groups with identical pixels and different labels. copies:
    groups with identical pixels at all."""

    patients: dict[str, tuple[str, ...]]
    pixels: list[tuple[str, ...]]
    conflicts: list[tuple[str, ...]]
    copies: list[tuple[str, ...]]

    def sentences(self) -> list[str]:
        """One line for each kind of crossing; empty where the splits are clean."""
        found = []
        if self.patients:
            name, splits = next(iter(self.patients.items()))
            found.append(
                f"{len(self.patients)} patients are on more than one side of the split "
                f"(first: {name} in {' and '.join(splits)})."
            )
        if self.pixels:
            found.append(
                f"{len(self.pixels)} images are on more than one side of the split with identical pixels "
                f"(first: {' = '.join(self.pixels[0])})."
            )
        return found


def find_leakage(scans: Sequence[Scan], pixel_hashes: Mapping[str, str]) -> Leakage:
    """Patients and pictures on several sides of a split.

    pixel_hashes: {scan id: `pixel_sha1`}; scans without one are compared by patient only. Scans without a
    split or without a patient id cross nothing.
    """
    splits_of: dict[str, set[str]] = defaultdict(set)
    alike: dict[str, list[Scan]] = defaultdict(list)
    for scan in scans:
        if scan.patient_id and scan.split:
            splits_of[scan.patient_id].add(scan.split)
        if scan.id in pixel_hashes:
            alike[pixel_hashes[scan.id]].append(scan)
    groups = [sorted(group, key=lambda scan: scan.id) for group in alike.values() if len(group) > 1]
    groups.sort(key=lambda group: group[0].id)
    return Leakage(
        patients={name: tuple(sorted(found)) for name, found in sorted(splits_of.items()) if len(found) > 1},
        pixels=[_ids(group) for group in groups if len({scan.split for scan in group} - {""}) > 1],
        conflicts=[_ids(group) for group in groups if len({scan.label for scan in group}) > 1],
        copies=[_ids(group) for group in groups],
    )


def _ids(group: Sequence[Scan]) -> tuple[str, ...]:
    return tuple(scan.id for scan in group)
