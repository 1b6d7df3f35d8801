"""What one side of a split knows of another."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.data.scans import Scan
from pipeline.data.splitting.near_duplicates import find_near_duplicates
from pipeline.data.words import whole_number
from pipeline.engine.listing import counted, listed

_BETWEEN_DIGITS, _SEPARATORS = re.compile(r"(?<=\d)[\s._/-]+(?=\d)"), re.compile(r"[\s._/-]+")
_LEADING_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")


@dataclass(frozen=True)
class Leakage:
    """patients: {patient id: its splits}, those in more than one. pixels: groups of scan ids with identical
    pixels in more than one split. conflicts: groups with identical pixels and different labels. copies:
    groups with identical pixels at all. near: pairs that are nearly one picture, their pixels not identical.
    spellings: groups of patient ids, in more than one split, that only case, blanks, dashes, zeros or a `.0` tell apart."""

    patients: dict[str, tuple[str, ...]]
    pixels: list[tuple[str, ...]]
    conflicts: list[tuple[str, ...]]
    copies: list[tuple[str, ...]]
    near: list[NearPair] = field(default_factory=list)
    spellings: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def near_across(self) -> list[NearPair]:
        """The near pairs on two sides of the split."""
        return [pair for pair in self.near if len({pair.first.split, pair.second.split} - {""}) > 1]

    @property
    def near_conflicts(self) -> list[NearPair]:
        """The near pairs with two labels."""
        return [pair for pair in self.near if pair.first.label != pair.second.label]

    def near_sentences(self) -> list[str]:
        """One line for each kind of near pairs that a split, or a score, should not have; empty where there is none."""
        kinds = (("on two sides of the split", self.near_across), ("with different labels", self.near_conflicts))
        return [
            f"{counted(len(pairs), 'pair of images is', 'pairs of images are')} nearly one picture {what} "
            f"(JPEG copies, other sizes, mirror images): "
            f"{listed([str(pair) for pair in pairs])}."
            for what, pairs in kinds if pairs
        ]  # fmt: skip

    def spelling_sentences(self) -> list[str]:
        """A line on patients who may be one under two spellings, on two sides of the split; empty where there is none."""
        if not self.spellings:
            return []
        named = listed([" = ".join(group) for group in self.spellings])
        return [
            f"{counted(len(self.spellings), 'patient is', 'patients are')} perhaps on two sides of the split, under ids that "
            f"differ in case, blanks, dashes, leading zeros or a final .0 only: {named}."
        ]

    def sentences(self) -> list[str]:
        """One line for each kind of crossing; empty where the splits are clean."""
        found = []
        if self.patients:
            name, splits = next(iter(self.patients.items()))
            found.append(
                f"{counted(len(self.patients), 'patient is', 'patients are')} on more than one side of the split "
                f"(first: {name} in {' and '.join(splits)})."
            )
        if self.pixels:
            found.append(
                f"{counted(len(self.pixels), 'image is', 'images are')} on more than one side of the split with identical pixels "
                f"(first: {' = '.join(self.pixels[0])})."
            )
        return found


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two scans that are nearly one picture: how much their thumbnails correlate, and how the second lies to the first."""

    first: Scan
    second: Scan
    correlation: float
    flip: str

    def __str__(self) -> str:
        return f"{self.first.id} = {self.second.id}" + (f" ({self.flip})" if self.flip else "")

    def row(self) -> dict:
        """It as JSON values."""
        return {"first": self.first.id, "second": self.second.id, "correlation": round(self.correlation, 4), "flip": self.flip}


def find_leakage(
    scans: Sequence[Scan], pixel_hashes: Mapping[str, str], thumbnails: Mapping[str, np.ndarray] | None = None
) -> Leakage:
    """Patients and pictures on several sides of a split.

    pixel_hashes: {scan id: `pixel_sha1`}; scans without one are compared by patient only. Scans without a
    split or without a patient id cross nothing. thumbnails: {scan id: `near_duplicates.thumbnail`} of those that near copies
    are looked for among.
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
        near=_near_pairs(scans, pixel_hashes, thumbnails or {}),
        spellings=_spellings_across(splits_of),
    )


def _spellings_across(splits_of: Mapping[str, set[str]]) -> list[tuple[str, ...]]:
    alike: dict[str, list[str]] = defaultdict(list)
    for name in sorted(splits_of):
        alike[spelt_alike(name)].append(name)
    return [
        tuple(group) for group in alike.values() if len(group) > 1 and len(set().union(*(splits_of[name] for name in group))) > 1
    ]


def spelt_alike(patient_id: str) -> str:
    """What of an id is compared where two may be one mistyped: `P-001`, `p 1` and `P1` are alike, as are `7` and `7.0`;
    `1-11` and `11-1` are not."""
    text = _BETWEEN_DIGITS.sub("|", whole_number(patient_id.casefold()))
    return _LEADING_ZEROS.sub("", _SEPARATORS.sub("", text))


def _near_pairs(
    scans: Sequence[Scan], pixel_hashes: Mapping[str, str], thumbnails: Mapping[str, np.ndarray]
) -> list[NearPair]:
    asked = [scan for scan in scans if scan.id in thumbnails]
    pairs = (
        NearPair(asked[found.first], asked[found.second], found.correlation, found.flip)
        for found in find_near_duplicates([thumbnails[scan.id] for scan in asked])
    )
    return [pair for pair in pairs if pixel_hashes.get(pair.first.id, "") != pixel_hashes.get(pair.second.id)]


def _ids(group: Sequence[Scan]) -> tuple[str, ...]:
    return tuple(scan.id for scan in group)
