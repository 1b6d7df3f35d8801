"""Splits by patient, stratified."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from pipeline.data.scans import SPLITS, TEST, TRAIN, VALID, Scan, Warn, warn_python, within
from pipeline.data.splitting.stratification import Stratum, place_groups
from pipeline.engine.errors import DataError
from pipeline.engine.listing import counted

DEFAULT_FRACTIONS: Mapping[str, float] = {TRAIN: 0.70, VALID: 0.15, TEST: 0.15}


def assign_splits(
    scans: Sequence[Scan],
    seed: int,
    valid_fraction: float = 0.15,
    fractions: Mapping[str, float] = DEFAULT_FRACTIONS,
    warn: Warn = warn_python,
) -> list[Scan]:
    """Every scan with a split, in the order given; splits that the data names are left alone.

    Per modality: without any split, `split_by_patient`; with train and test but no valid, `carve_validation`.
    Raises DataError where a modality has splits on some of its scans only, or no test, or one class on a
    side.
    """
    unsplit = []
    for modality in sorted({scan.modality for scan in scans}):
        named = Counter(scan.split for scan in scans if scan.modality == modality)
        if named[""] and len(named) > 1:
            raise DataError(
                f"{modality}: {named['']} of {sum(named.values())} scans have no split, the others do.",
                "Give every scan of a modality a split, or none.",
            )
        if not named[""] and not (named[TRAIN] and named[TEST]):
            raise DataError(f"{modality}: the data's split has {_counts(named)}.", "It needs train and test.")
        if named[""]:
            unsplit.append(modality)
    if unsplit:
        scans = split_by_patient(scans, fractions, seed, warn)
    scans = carve_validation(scans, valid_fraction, seed, warn)
    refuse_one_class(scans)
    return list(scans)


def split_by_patient(
    scans: Sequence[Scan], fractions: Mapping[str, float], seed: int, warn: Warn = warn_python
) -> list[Scan]:
    """Scans without a split get one: no patient on two sides, fractions kept within each (source, modality,
    label).

    Scans that have a split keep it, and so does every other scan of their patient. fractions: {split: share},
    summing to 1, shares of scans. The same scans and seed give the same split in whatever order they come.
    Patients without an id are each their own. Raises DataError where a class has fewer patients than splits.
    """
    _check_fractions(fractions)
    return _distribute(scans, fractions, seed, lambda scan: not scan.split, warn)


def carve_validation(
    scans: Sequence[Scan], fraction: float, seed: int, warn: Warn = warn_python
) -> list[Scan]:
    """Moves about `fraction` of the train scans to valid, by patient, within each (source, modality, label).

    Modalities that name a validation split, and test, are left alone. Guarantees of `split_by_patient`.
    """
    _check_fractions({TRAIN: 1 - fraction, VALID: fraction})
    with_valid = {scan.modality for scan in scans if scan.split == VALID}
    return _distribute(
        scans,
        {TRAIN: 1 - fraction, VALID: fraction},
        seed,
        lambda scan: scan.split == TRAIN and scan.modality not in with_valid,
        warn,
    )


def grouped_folds(
    labels: Sequence | np.ndarray, groups: Sequence | np.ndarray, folds: int, seed: int
) -> np.ndarray:
    """The fold of each row, int64 (N,) in 0…folds−1: no group in two folds, labels spread evenly.

    labels: (N,) classes or any strata. groups: (N,) patient ids. Independent of the rows' order
    (scikit-learn's StratifiedGroupKFold over rows sorted by group). Raises DataError where a label has fewer
    groups than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    label_codes = np.unique(np.asarray(labels), return_inverse=True)[1]
    group_codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    for code in np.unique(label_codes):
        patients = len(np.unique(group_codes[label_codes == code]))
        if patients < folds:
            raise DataError(
                f"Label {np.asarray(labels)[label_codes == code][0]}: {patients} patients, "
                f"{folds} folds need as many.",
                "Use fewer folds or more patients.",
            )
    order = np.lexsort((label_codes, group_codes))
    fold_of = np.empty(len(order), np.int64)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for fold, (_, held) in enumerate(splitter.split(order, label_codes[order], group_codes[order])):
        fold_of[order[held]] = fold
    return fold_of


def patient_groups(scans: Sequence[Scan]) -> list[str]:
    """The patient of each scan; a scan without an id is a patient of its own (`scan:<id>`)."""
    return [scan.patient_id or f"scan:{scan.id}" for scan in scans]


def refuse_one_class(scans: Sequence[Scan], before: Sequence[Scan] = ()) -> None:
    """Raises DataError where a (modality, split) lacks one of the modality's classes, or a modality has one
    only. before: the scans of which these are what could be read; a class that went with the others is lacking."""
    every = [*scans, *before]
    for modality in sorted({scan.modality for scan in every}):
        mine = [scan for scan in scans if scan.modality == modality]
        classes = sorted({scan.label for scan in every if scan.modality == modality})
        if len(classes) < 2:
            raise DataError(f"{modality or 'the scans'}: only the class {classes[0]!r}.", "Two classes or more are needed.")
        for split in SPLITS:
            missing = set(classes) - {scan.label for scan in mine if scan.split == split}
            if missing:
                raise DataError(
                    f"{within(modality, split)}: no scan of class {sorted(missing)[0]!r}.",
                    "Each side of the split needs every class: add scans, or change the fractions.",
                )


def _distribute(
    scans: Sequence[Scan],
    fractions: Mapping[str, float],
    seed: int,
    movable: Callable[[Scan], bool],
    warn: Warn,
) -> list[Scan]:
    """Gives the movable scans one of the splits of `fractions`, whole patients at a time."""
    groups = patient_groups(scans)
    pinned = _pinned(scans, groups, fractions, movable)
    contents: dict[str, Counter[Stratum]] = defaultdict(Counter)
    for scan, group in zip(scans, groups, strict=True):
        if movable(scan):
            contents[group][(scan.source, scan.modality, scan.label)] += 1
    if not contents:
        return list(scans)
    _warn_unknown_patients(scans, movable, warn)
    _refuse_few_patients(contents, fractions)
    placed = {group: pinned[group] for group in contents if group in pinned}
    placed |= place_groups(
        {group: has for group, has in contents.items() if group not in pinned}, fractions, seed
    )
    return [
        replace(scan, split=placed[group]) if movable(scan) else scan
        for scan, group in zip(scans, groups, strict=True)
    ]


def _pinned(
    scans: Sequence[Scan],
    groups: Sequence[str],
    fractions: Mapping[str, float],
    movable: Callable[[Scan], bool],
) -> dict[str, str]:
    """{patient: split} of patients whose other scans are fixed; the side furthest from training wins a
    conflict."""
    fixed: dict[str, str] = {}
    for scan, group in zip(scans, groups, strict=True):
        if scan.split in fractions and not movable(scan):
            fixed[group] = max(fixed.get(group, TRAIN), scan.split, key=SPLITS.index)
    return fixed


def _check_fractions(fractions: Mapping[str, float]) -> None:
    if (
        abs(sum(fractions.values()) - 1) > 1e-6
        or min(fractions.values()) <= 0
        or set(fractions) - set(SPLITS)
    ):
        raise DataError(
            f"Split fractions {dict(fractions)} are not positive shares of train, valid and test "
            "that sum to 1.",
            "Mend the fractions.",
        )


def _warn_unknown_patients(scans: Sequence[Scan], movable: Callable[[Scan], bool], warn: Warn) -> None:
    moved = [scan for scan in scans if movable(scan)]
    unknown = sum(not scan.patient_id for scan in moved)
    if unknown:
        warn(
            f"{unknown} of {len(moved)} scans to split have no patient id: each counts as a patient, "
            "so one patient may be on both sides."
        )


def _refuse_few_patients(contents: Mapping[str, Counter[Stratum]], fractions: Mapping[str, float]) -> None:
    patients: dict[tuple[str, str], set[str]] = defaultdict(set)
    for group, has in contents.items():
        for _, modality, label in has:
            patients[(modality, label)].add(group)
    for (modality, label), members in sorted(patients.items()):
        if len(members) < len(fractions):
            raise DataError(
                f"{within(modality, f'class {label!r}')}: {counted(len(members), 'patient')} cannot be split into "
                f"{', '.join(fractions)}.",
                "Add patients, or name a validation split in the data.",
            )


def _counts(named: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {split}" for split, count in sorted(named.items()) if count)
