"""Kermany's chest X-rays pooled from their published folders and split anew, by patient, for both label sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.data.layouts.class_folders import read_class_folders
from pipeline.data.layouts.kermany_names import BACTERIA, NORMAL, PNEUMONIA, VIRUS, read_kermany_name
from pipeline.data.reading.digests import pixel_sha1
from pipeline.data.reading.gray_reader import read_in_order
from pipeline.data.scans import Scan, Warn, warn_python
from pipeline.data.splitting.leakage import Leakage, find_leakage
from pipeline.data.splitting.splits import DEFAULT_FRACTIONS, split_by_patient
from pipeline.engine.errors import DataError

# {label set: {what the file name tells: class}}; a pneumonia of unknown kind has no place among the three classes.
LABEL_SETS: Mapping[str, Mapping[str, str]] = {
    "binary": {NORMAL: NORMAL, BACTERIA: PNEUMONIA, VIRUS: PNEUMONIA, PNEUMONIA: PNEUMONIA},
    "three_class": {NORMAL: NORMAL, BACTERIA: BACTERIA, VIRUS: VIRUS},
}
ARCHIVE_FOLDER = "chest_xray"


@dataclass(frozen=True)
class Pool:
    """Scans of all published folders together.

    scans: label NORMAL, BACTERIA, VIRUS or (kind unknown) PNEUMONIA; patient_id the person; split the published one.
    pixel_hashes: {scan id: digest}. unreadable, left_out: {scan id: why it is in no folder of the result}.
    """

    scans: list[Scan]
    pixel_hashes: dict[str, str]
    unreadable: dict[str, str]
    left_out: dict[str, str]


@dataclass(frozen=True)
class PublishedLeakage:
    """What is on several sides of the published split.

    patients: persons under the same number with the same organism. numbers: persons under the same number, whatever the
    organism (see `KermanyName`). pixels: groups of identical pictures.
    """

    patients: int
    numbers: int
    pixels: int
    sentences: list[str]


def read_pool(
    root: Path, warn: Warn = warn_python, workers: int = 2, track: Callable[[Sequence[Scan]], Iterable[Scan]] = iter
) -> Pool:
    """Every scan of `{train,val,test}/{NORMAL,PNEUMONIA}` below `root` (or below `root/chest_xray`), read once.

    What the name says must fit the folder: a scan whose name says otherwise is left out, and so is one that cannot be
    read. Raises DataError: no such folder, other classes, or no scan that can be read.
    """
    inside = root / ARCHIVE_FOLDER
    scans = read_class_folders(inside if inside.is_dir() else root, warn)
    strange = sorted({scan.label for scan in scans} - {NORMAL, PNEUMONIA})
    if strange:
        raise DataError(f"{root}: folder {strange[0]!r} is neither {NORMAL} nor {PNEUMONIA}.", "Give the published folders.")
    left_out: dict[str, str] = {}
    named = [known for scan in scans if (known := _by_name(scan, left_out))]
    hashes, unreadable = _digests(named, workers, track)
    kept = [scan for scan in named if scan.id in hashes]
    if not kept:
        raise DataError(f"{root}: not one of {len(scans)} scans can be pooled.", "Check the folder.")
    unknown = sum(scan.label == PNEUMONIA for scan in kept)
    if unknown:
        warn(f"{unknown} pneumonias do not say in their names whether they are bacterial or viral: binary labels only.")
    return Pool(kept, hashes, unreadable, left_out)


def published_leakage(pool: Pool) -> PublishedLeakage:
    """What the split that the folders had before knows of its own test part."""
    exact = find_leakage([_with_organism(scan) for scan in pool.scans], pool.pixel_hashes)
    by_number = find_leakage(pool.scans, pool.pixel_hashes)
    sentences = exact.sentences()
    more = len(by_number.patients) - len(exact.patients)
    if more > 0:
        sentences.append(
            f"{more} more numbers are on several sides with another organism: one child twice, or two children; the new "
            "split keeps them together."
        )
    return PublishedLeakage(len(exact.patients), len(by_number.patients), len(exact.pixels), sentences)


def split_anew(
    pool: Pool,
    seed: int,
    fractions: Mapping[str, float] = DEFAULT_FRACTIONS,
    total: int | None = None,
    warn: Warn = warn_python,
) -> list[Scan]:
    """The pool with a new split: no person and no picture on two sides, shares kept within each of the classes.

    total: at most so many scans, drawn with the shares that the classes have. Both label sets share the split.
    Raises DataError where a class has fewer patients than splits, or `total` leaves a class without scans.
    """
    scans = [replace(scan, split="") for scan in _capped(pool.scans, seed, total, warn)]
    together = _one_name_for_copies(scans, pool.pixel_hashes)
    # A few pneumonias of unknown kind are too few to be spread by themselves: they are dealt with the bacterial ones.
    dealt = [BACTERIA if scan.label == PNEUMONIA else scan.label for scan in scans]
    placed = split_by_patient(
        [replace(scan, patient_id=name, label=label) for scan, name, label in zip(scans, together, dealt, strict=True)],
        fractions, seed, warn,
    )  # fmt: skip
    return [replace(scan, split=new.split) for scan, new in zip(scans, placed, strict=True)]


def remaining_leakage(scans: Sequence[Scan], pool: Pool) -> Leakage:
    """`find_leakage` of the new split: empty unless a patient could not be told."""
    return find_leakage(scans, {scan.id: pool.pixel_hashes[scan.id] for scan in scans})


def labelled(scans: Sequence[Scan], label_set: str) -> list[Scan]:
    """The scans that have a class in a label set of LABEL_SETS, with it."""
    classes = LABEL_SETS[label_set]
    return [replace(scan, label=classes[scan.label]) for scan in scans if scan.label in classes]


def _by_name(scan: Scan, left_out: dict[str, str]) -> Scan | None:
    name = read_kermany_name(scan.path.stem)
    if name is None:
        return scan
    if (name.label == NORMAL) != (scan.label == NORMAL):
        left_out[scan.id] = f"lies in {scan.label}, its name says {name.label}"
        return None
    return replace(scan, label=name.label, patient_id=name.person)


def _with_organism(scan: Scan) -> Scan:
    name = read_kermany_name(scan.path.stem)
    return replace(scan, patient_id=name.patient) if name else scan


def _digests(
    scans: Sequence[Scan], workers: int, track: Callable[[Sequence[Scan]], Iterable[Scan]]
) -> tuple[dict[str, str], dict[str, str]]:
    hashes, unreadable = {}, {}
    for scan, gray in zip(track(scans), read_in_order((scan.path for scan in scans), workers), strict=True):
        if isinstance(gray, DataError):
            unreadable[scan.id] = gray.message
        else:
            hashes[scan.id] = pixel_sha1(gray)
    return hashes, unreadable


def _capped(scans: Sequence[Scan], seed: int, total: int | None, warn: Warn) -> list[Scan]:
    """At most `total` scans, each class by its share (largest remainder), drawn by the seed; in the pool's order."""
    if total is None or total >= len(scans):
        if total is not None and total > len(scans):
            warn(f"{total} scans were wanted, the pool has {len(scans)}.")
        return list(scans)
    import numpy as np

    counts = Counter(scan.label for scan in scans)
    exact = {label: total * count / len(scans) for label, count in counts.items()}
    quota = {label: int(share) for label, share in exact.items()}
    for label in sorted(exact, key=lambda name: (quota[name] - exact[name], name))[: total - sum(quota.values())]:
        quota[label] += 1
    if not all(quota.values()):
        raise DataError(f"{total} scans leave a class without any.", "Raise --desired-total-samples.")
    chosen: set[str] = set()
    for label in sorted(quota):
        ids = sorted(scan.id for scan in scans if scan.label == label)
        chosen.update(np.random.default_rng([seed, len(chosen)]).choice(ids, quota[label], replace=False).tolist())
    return [scan for scan in scans if scan.id in chosen]


def _one_name_for_copies(scans: Sequence[Scan], pixel_hashes: Mapping[str, str]) -> list[str]:
    """A patient for each scan in which persons who share a picture are one."""
    from scipy.cluster.hierarchy import DisjointSet

    persons = [scan.patient_id or f"scan:{scan.id}" for scan in scans]
    joined, first = DisjointSet(persons), dict[str, str]()
    for scan, person in zip(scans, persons, strict=True):
        joined.merge(first.setdefault(pixel_hashes[scan.id], person), person)
    return [joined[person] for person in persons]
