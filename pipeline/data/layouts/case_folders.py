"""Folders of labelled scans to judge a bundle on: the customer's test folders, class folders, or `{class}/images`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.data.folder_walk import FolderWalk
from pipeline.data.layouts.class_folders import class_folder_scans, split_folders
from pipeline.data.layouts.class_mask_folders import class_mask_scans, image_folders
from pipeline.data.layouts.patient_table import read_patient_table
from pipeline.data.layouts.respiratory_folders import FOLDERS
from pipeline.data.layouts.scan_files import class_scans
from pipeline.data.scans import TEST, Scan, Warn
from pipeline.engine.errors import DataError, UsageError, did_you_mean

TEST_FOLDERS = {name: modality for name, (modality, split) in FOLDERS.items() if split == TEST}


def read_labelled_folder(
    root: Path, class_names: Sequence[str], warn: Warn, modalities: Sequence[str], modality: str | None, masks: bool
) -> list[Scan]:
    """The scans of a folder, each with its class, in the order of their folders and names.

    The folder holds `X_Ray_Test`, `CT_Scan_Test` or both with class folders inside, of which those of `modalities` are
    read; or `{class}/images` with `{class}/masks`; or, without `masks`, `{class}/` or `{train,val,test}/{class}/`, of which
    the test part is read. For the last two a bundle of both modalities needs to be told which.

    Raises DataError: none of these (did-you-mean), an empty class folder; UsageError: `modality` is missing, or given where
    the folders say it.
    """
    present = [folder.name for folder in FolderWalk(root).subfolders(root)]
    tests = [name for name in TEST_FOLDERS if name in present]
    if tests:
        if modality is not None:
            raise UsageError("--modality is for a folder of class folders.", f"Leave it out: {', '.join(tests)} say it.")
        return _test_scans(root, tests, modalities, warn)
    if len(modalities) > 1:
        if not set(class_names) & set(present) and not split_folders(FolderWalk(root)):
            near = next(filter(None, (did_you_mean(name, [*TEST_FOLDERS, *class_names]) for name in present)), "")
            raise DataError(
                f"{root}: holds neither {' nor '.join(TEST_FOLDERS)}, nor folders {' and '.join(class_names)}.{near}",
                f"Found: {', '.join(present[:8]) or 'no folder'}. A CSV is possible too.",
            )
        if modality is None:
            options = " or ".join(f"--modality {name}" for name in modalities)
            raise UsageError(f"{root}: of which modality are these scans?", f"Say {options}.")
    read = class_mask_scans if masks or image_folders(FolderWalk(root)) else class_folder_scans
    return _test_part(root, read(root, warn, modality=modality or modalities[0]), warn)


def _test_scans(root: Path, tests: Sequence[str], modalities: Sequence[str], warn: Warn) -> list[Scan]:
    others = [name for name in tests if TEST_FOLDERS[name] not in modalities]
    if len(others) == len(tests):
        raise DataError(f"{root}: holds {' and '.join(tests)} alone.", f"This bundle reads {' and '.join(modalities)} images.")
    if others:
        warn(f"{root}: left out, not of {' or '.join(modalities)}: {', '.join(others)}")
    walk = FolderWalk(root)
    scans = [
        scan
        for name in tests
        if name not in others
        for folder in walk.subfolders(root / name)
        for scan in class_scans(folder, walk, TEST_FOLDERS[name])
    ]
    walk.tell(warn)
    return read_patient_table(root).applied_to(scans, root, warn)


def _test_part(root: Path, scans: list[Scan], warn: Warn) -> list[Scan]:
    if not any(scan.split for scan in scans):
        return scans
    tests = [scan for scan in scans if scan.split == TEST]
    if tests:
        warn(f"{root}: only its test part is judged, {len(tests)} of {len(scans)} images")
        return tests
    warn(f"{root}: has no test part; all of it is judged, the bundle may have been trained on it")
    return scans
