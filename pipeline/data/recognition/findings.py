"""What `data check` says of a folder: what is there, and what a run of it would refuse or warn of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from pipeline.data.inspection.survey import count_rows, inspect_scans, origins_with_one_label
from pipeline.data.masks.mask_arrays import unreadable_masks
from pipeline.data.recognition.recognised import Recognised, modalities_of
from pipeline.data.scans import SPLITS, Scan, within
from pipeline.data.splitting.leakage import Leakage
from pipeline.data.splitting.splits import patient_groups, refuse_one_class
from pipeline.engine.errors import DataError
from pipeline.engine.listing import counted, listed

SCHEMA_VERSION = 1
# The share of unreadable scans that s01 refuses by default.
MAX_UNREADABLE = 0.05


class Problem(NamedTuple):
    """weight: "refused" stops a run, "warned" is said by it, "asked" is what `init` wants to be told."""

    weight: str
    message: str
    remedy: str = ""


class Findings(NamedTuple):
    """scans: with the split that a run would make, or as they are where it would make none."""

    recognised: Recognised
    scans: list[Scan]
    problems: list[Problem]
    unreadable: dict[str, str]

    @property
    def refused(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.weight == "refused"]

    def document(self) -> dict[str, Any]:
        """All of it as JSON values: what `data check --json` prints."""
        found, patients = self.recognised, {scan.patient_id for scan in self.scans} - {""}
        return {
            "schema_version": SCHEMA_VERSION,
            "folder": str(found.root),
            "taken_for": found.choice.words,
            "layout": found.choice.layout,
            "list": found.choice.table,
            "settings": found.source.model_dump(mode="json", exclude_defaults=True),
            "classes": sorted({scan.label for scan in self.scans}),
            "modalities": modalities_of(self.scans),
            "scans": len(self.scans),
            "dicom": found.dicom,
            "own_split": sorted({scan.split for scan in found.raw} - {""}, key=SPLITS.index),
            "patients": {
                "told_by": found.told_by, "known": len(patients),
                "scans_without": sum(not scan.patient_id for scan in self.scans),
            },
            "sources": sorted({scan.source for scan in self.scans} - {""}),
            "masks": sum(scan.mask is not None for scan in self.scans),
            "counts": count_rows(self.scans),
            "problems": [problem._asdict() for problem in self.problems],
        }  # fmt: skip


def check_data(
    found: Recognised, workers: int = 2, track: Callable[[Sequence[Scan]], Iterable[Scan]] = iter
) -> Findings:  # fmt: skip
    """Read every scan once, and try what a run would: classes, split, leakage. Nothing is written."""
    problems: list[Problem] = []

    def warn(text: str) -> None:
        if all(problem.message != text for problem in problems):
            problems.append(Problem("warned", text))

    for notice in found.notices:
        warn(notice)
    if found.untold:
        few = f"{found.untold} of {len(found.raw)} scans" if found.untold < len(found.raw) else "the scans"
        problems.append(Problem("asked", f"Nothing tells whether {few} are X-rays or CT slices.", "Say --modality xray or ct."))
    scans = _prepared(found, problems, warn)
    inspection = inspect_scans(scans, (), workers, track)
    problems += _of_files(scans, inspection.unreadable)
    if inspection.unreadable and not found.untold and all(scan.split for scan in scans):
        with _noted(problems):
            refuse_one_class([scan for scan in scans if scan.id not in inspection.unreadable], scans)
    with _noted(problems):
        maskless = unreadable_masks(scans, found.source.mask_labels)
        if maskless:
            named = listed(list(maskless.values()))
            warn(f"{counted(len(maskless), 'lung mask')} cannot be read, and their scans go on without: {named}")
            scans = [replace(scan, mask=None) if scan.id in maskless else scan for scan in scans]
    problems += _of_leakage(inspection.leakage)
    for row in origins_with_one_label(scans):
        warn(f"{row['modality']}: every scan of {row['origin']} is {row['label']}: what made a scan gives its label away.")
    return Findings(found, scans, problems, inspection.unreadable)


def _prepared(found: Recognised, problems: list[Problem], warn: Callable[[str], None]) -> list[Scan]:
    """The scans as far as a run would get with them."""
    scans = found.raw
    if found.untold not in (0, len(scans)):
        return scans  # no run would split what is told apart by half
    with _noted(problems):
        if not found.untold:
            scans = found.labelled()
        small = _small_classes(scans)
        problems += small
        if not small:  # their split would be refused once more
            scans = found.placed(scans, warn)
    return scans


@contextmanager
def _noted(problems: list[Problem]) -> Iterator[None]:
    """What a step of a run refuses is a problem, once."""
    try:
        yield
    except DataError as error:
        if all(problem.message != error.message for problem in problems):
            problems.append(Problem("refused", error.message, error.remedy))


def _small_classes(scans: Sequence[Scan]) -> list[Problem]:
    """Classes of too few patients to be in every part: one problem a modality, whichever the split would stumble over first."""
    split = {scan.modality for scan in scans if scan.split}
    patients: dict[tuple[str, str], set[str]] = {}
    count: Counter[tuple[str, str]] = Counter()
    for scan, patient in zip(scans, patient_groups(scans), strict=True):
        patients.setdefault((scan.modality, scan.label), set()).add(patient)
        count[(scan.modality, scan.label)] += 1
    few: dict[str, list[str]] = {}
    for (modality, label), found in sorted(patients.items()):
        if len(found) < len(SPLITS) and modality not in split:
            has = f"{counted(count[(modality, label)], 'scan')} of {counted(len(found), 'patient')}"
            few.setdefault(modality, []).append(f"class {label!r}: {has}")
    return [
        Problem(
            "refused", f"{within(modality, listed(said))}, too few for train, validation and test.",
            "Add scans, bring the label together with another (--label OLD=NEW), or leave it out.",
        )
        for modality, said in few.items()
    ]  # fmt: skip


def _of_files(scans: Sequence[Scan], unreadable: dict[str, str]) -> list[Problem]:
    if not unreadable:
        return []
    refused = len(unreadable) > MAX_UNREADABLE * len(scans)
    named = listed(list(unreadable.values()))
    return [
        Problem("refused" if refused else "warned", f"{counted(len(unreadable), 'scan', 'scans')} cannot be read: {named}",
                "Mend them or take them away." if refused else "They are left out, and named.")
    ]  # fmt: skip


def _of_leakage(leakage: Leakage) -> list[Problem]:
    problems = [
        Problem("refused", sentence, "Mend the split, take one copy away, or run with --allow-leakage: the report then says so.")
        for sentence in leakage.sentences()
    ]
    if leakage.conflicts:
        named = listed([" = ".join(group) for group in leakage.conflicts])
        said = f"{counted(len(leakage.conflicts), 'picture is', 'pictures are')} there under two classes: {named}."
        problems.append(Problem("warned", said, "One of the two is wrong."))
    alike = [group for group in leakage.copies if group not in leakage.conflicts and group not in leakage.pixels]
    if alike:
        named = listed([" = ".join(group) for group in alike])
        problems.append(Problem("warned", f"{counted(len(alike), 'picture is', 'pictures are')} there more than once: {named}."))
    said = (*leakage.spelling_sentences(), *leakage.near_sentences())
    return [*problems, *(Problem("warned", sentence) for sentence in said)]
