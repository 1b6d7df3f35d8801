"""The split of scans whose patients nobody knows: image by image, stratified by class, as the original makes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipeline.data.scans import SPLITS, TEST, TRAIN, VALID, Scan, within
from pipeline.data.splitting.splits import DEFAULT_FRACTIONS
from pipeline.engine.errors import DataError
from pipeline.engine.listing import counted

ORIGINAL_SEED = 42


def stratified_split(
    scans: Sequence[Scan], fractions: Mapping[str, float] = DEFAULT_FRACTIONS, seed: int = ORIGINAL_SEED
) -> list[Scan]:
    """Every scan with a split, in the order given; each class keeps its share in every split.

    scikit-learn's `train_test_split` twice, first train against the rest, then valid against test, both with `seed`
    and stratified by (modality, label), over the scans sorted by id. One patient may be on several sides: use
    `split_by_patient` wherever ids are known. fractions: {split: share}, summing to 1.

    Raises DataError where a class has too few scans to be in every split, or a scan has a split already.
    """
    from sklearn.model_selection import train_test_split

    taken = next((scan for scan in scans if scan.split), None)
    if taken is not None:
        raise DataError(f"{taken.id} has the split {taken.split!r} already.", "Use assign_splits, which keeps it.")
    _refuse_few(scans)
    ordered = sorted(scans, key=lambda scan: scan.id)
    strata = {scan.id: f"{scan.modality}/{scan.label}" for scan in ordered}
    held = fractions[VALID] + fractions[TEST]
    train, rest = train_test_split(
        [scan.id for scan in ordered], test_size=held, random_state=seed, stratify=[strata[scan.id] for scan in ordered]
    )
    valid, test = train_test_split(
        rest, test_size=fractions[TEST] / held, random_state=seed, stratify=[strata[name] for name in rest]
    )
    split_of = dict.fromkeys(train, TRAIN) | dict.fromkeys(valid, VALID) | dict.fromkeys(test, TEST)
    return [replace(scan, split=split_of[scan.id]) for scan in scans]


def _refuse_few(scans: Sequence[Scan]) -> None:
    counts = Counter((scan.modality, scan.label) for scan in scans)
    for (modality, label), count in sorted(counts.items()):
        # Two thirds of so few scans could leave the second cut one alone, which cannot be stratified.
        if count < 2 * len(SPLITS):
            raise DataError(
                f"{within(modality, f'class {label!r}')}: {counted(count, 'scan')} cannot be split into {', '.join(SPLITS)}.",
                f"Add scans: {2 * len(SPLITS)} at least.",
            )
