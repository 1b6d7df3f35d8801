"""What a data set holds: counts, sizes, intensities, sources, leakage."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.data.reading.digests import pixel_sha1
from pipeline.data.reading.gray_reader import read_in_order
from pipeline.data.scans import Scan
from pipeline.data.splitting.leakage import Leakage, find_leakage
from pipeline.data.splitting.near_duplicates import thumbnail
from pipeline.engine.errors import DataError
from pipeline.engine.listing import listed

SCHEMA_VERSION = 1
QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)

Group = tuple[str, str, str]


@dataclass
class GroupPixels:
    """Pixels of one (source, modality, label): image sizes (px) and a histogram of 256 gray levels, in which
    every image weighs the same."""

    heights: list[int] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    means: list[float] = field(default_factory=list)
    histogram: np.ndarray = field(default_factory=lambda: np.zeros(256))

    def add(self, gray: np.ndarray) -> None:
        """Counts one image, uint8 (H, W)."""
        counts = np.bincount(gray.ravel(), minlength=256)
        self.heights.append(gray.shape[0])
        self.widths.append(gray.shape[1])
        self.means.append(float(gray.mean()))
        self.histogram += counts / gray.size


@dataclass
class Inspection:
    """Findings of `inspect_scans`. unreadable: {scan id: cause}; pixels by (source, modality, label)."""

    scans: list[Scan]
    unreadable: dict[str, str]
    pixels: dict[Group, GroupPixels]
    leakage: Leakage
    notices: list[str]

    def document(self) -> dict:
        """All findings as a JSON-able document, the same as `data inspect --json` prints."""
        return {
            "schema_version": SCHEMA_VERSION,
            "scans": len(self.scans),
            "patients": len({scan.patient_id for scan in self.scans} - {""}),
            "scans_without_patient_id": sum(not scan.patient_id for scan in self.scans),
            "counts": count_rows(self.scans),
            "images_per_patient": _images_per_patient(self.scans),
            "sizes": [_named(group) | _size_row(found) for group, found in self.pixels.items()],
            "intensity": [_named(group) | _intensity_row(found) for group, found in self.pixels.items()],
            "unreadable": [{"id": name, "error": cause} for name, cause in self.unreadable.items()],
            "leakage": {
                "patients_across_splits": {
                    name: list(splits) for name, splits in self.leakage.patients.items()
                },
                "patient_ids_spelt_alike_across_splits": [list(group) for group in self.leakage.spellings],
                "identical_pixels_across_splits": [list(group) for group in self.leakage.pixels],
                "identical_pixels": [list(group) for group in self.leakage.copies],
                "identical_pixels_with_different_labels": [list(group) for group in self.leakage.conflicts],
                "near_duplicates": [pair.row() for pair in self.leakage.near],
                "near_duplicates_across_splits": [pair.row() for pair in self.leakage.near_across],
                "near_duplicates_with_different_labels": [pair.row() for pair in self.leakage.near_conflicts],
                "labels_told_by_origin": origins_with_one_label(self.scans),
            },
            "notices": self.notices,
        }


def leakage_sentences(leakage: dict) -> list[str]:
    """A document's "leakage": what a reader should know before trusting a score on this data, one line each."""
    across, pixels = leakage["patients_across_splits"], leakage["identical_pixels_across_splits"]
    found = [
        f"leakage: {len(across)} patients are on several sides of the split"
        + (f" (first: {next(iter(across))})" if across else ""),
        f"leakage: {len(pixels)} pictures are on several sides with identical pixels"
        + (f" (first: {' = '.join(pixels[0])})" if pixels else ""),
        f"copies: {len(leakage['identical_pixels'])} pictures occur more than once, "
        f"{len(leakage['identical_pixels_with_different_labels'])} with different labels",
    ]
    for what, key in (
        ("leakage: {} pairs are nearly one picture on two sides of the split", "near_duplicates_across_splits"),
        ("copies: {} pairs are nearly one picture with different labels", "near_duplicates_with_different_labels"),
    ):
        named = listed([f"{pair['first']} = {pair['second']}" for pair in leakage[key]])
        found.append(what.format(len(leakage[key])) + (f": {named}" if named else ""))
    spelt = leakage["patient_ids_spelt_alike_across_splits"]
    if spelt:
        named = listed([" = ".join(group) for group in spelt])
        found.append(f"leakage: {len(spelt)} patients are perhaps on two sides of the split, under ids spelt alike: {named}")
    told = leakage["labels_told_by_origin"]
    if told:
        names = ", ".join(f"{row['origin']} (always {row['label']})" for row in told)
        found.append(f"shortcut: where a scan was made gives its label away: {names}")
    return found


def inspect_scans(
    scans: Sequence[Scan],
    notices: Iterable[str] = (),
    workers: int = 2,
    track: Callable[[Sequence[Scan]], Iterable[Scan]] = iter,
) -> Inspection:
    """Reads every scan once and gathers what there is to know; files that cannot be read are listed, not
    raised. notices: sentences for the reader of the findings. track: wraps the scans, for a progress bar."""
    pixels: dict[Group, GroupPixels] = defaultdict(GroupPixels)
    unreadable: dict[str, str] = {}
    hashes: dict[str, str] = {}
    thumbnails: dict[str, np.ndarray] = {}
    for scan, gray in zip(track(scans), read_in_order((scan.path for scan in scans), workers), strict=True):
        if isinstance(gray, DataError):
            unreadable[scan.id] = gray.message
            continue
        pixels[(scan.source, scan.modality, scan.label)].add(gray)
        hashes[scan.id] = pixel_sha1(gray)
        thumbnails[scan.id] = thumbnail(gray)
    leakage = find_leakage(scans, hashes, thumbnails)
    return Inspection(list(scans), unreadable, dict(sorted(pixels.items())), leakage, list(notices))


def count_rows(scans: Sequence[Scan]) -> list[dict]:
    """Rows {source, modality, label, split, scans, patients}, sorted; unknown patients are not counted."""
    images: Counter[tuple[str, ...]] = Counter()
    patients: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for scan in scans:
        key = (scan.source, scan.modality, scan.label, scan.split)
        images[key] += 1
        patients[key].update({scan.patient_id} - {""})
    names = ("source", "modality", "label", "split")
    return [
        dict(zip(names, key, strict=True)) | {"scans": images[key], "patients": len(patients[key])}
        for key in sorted(images)
    ]


def origin_of(scan: Scan) -> str:
    """Where a scan was made, as finely as its data tells: the name space of its patient id where it has one
    (`kermany` of `kermany:IM-0115`), since one set may mix several; else its source."""
    space, colon, _ = scan.patient_id.partition(":")
    return space if colon else scan.source


def origins_with_one_label(scans: Sequence[Scan]) -> list[dict]:
    """Rows {modality, origin, label} of origins all of whose scans share a label, in modalities of several
    origins and labels: there a model can answer by recognising the origin."""
    labels: dict[tuple[str, str], set[str]] = defaultdict(set)
    classes: dict[str, set[str]] = defaultdict(set)
    for scan in scans:
        labels[(scan.modality, origin_of(scan))].add(scan.label)
        classes[scan.modality].add(scan.label)
    several = Counter(modality for modality, _ in labels)
    return [
        {"modality": modality, "origin": origin, "label": next(iter(found))}
        for (modality, origin), found in sorted(labels.items())
        if len(found) == 1 and several[modality] > 1 and len(classes[modality]) > 1
    ]


def _images_per_patient(scans: Sequence[Scan]) -> dict:
    counts = sorted(Counter(scan.patient_id for scan in scans if scan.patient_id).values())
    if not counts:
        return {"median": None, "most": None}
    return {"median": float(np.median(counts)), "most": counts[-1]}


def _named(group: Group) -> dict:
    return dict(zip(("source", "modality", "label"), group, strict=True))


def _size_row(found: GroupPixels) -> dict:
    return {
        f"{side}_{name}_px": int(value(numbers))
        for side, numbers in (("width", found.widths), ("height", found.heights))
        for name, value in (("least", min), ("median", np.median), ("most", max))
    }


def _intensity_row(found: GroupPixels) -> dict:
    share = found.histogram / found.histogram.sum()
    levels, cumulative = np.arange(256), np.cumsum(share)
    mean = float(share @ levels)
    row = {
        "mean": round(mean, 2),
        "sd": round(float(np.sqrt(share @ (levels - mean) ** 2)), 2),
        "sd_of_image_means": round(float(np.std(found.means)), 2),
    }
    return row | {f"p{round(100 * q)}": int(np.searchsorted(cumulative, q)) for q in QUANTILES}
