"""Labelled scans to judge a bundle on: the customer's test folders, class folders, or a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.data.csv_rows import read_rows
from pipeline.data.layouts.pair_table import PairRow, find_scan, read_pairs, refuse_repeated_ids
from pipeline.data.layouts.patient_table import read_patient_table
from pipeline.data.layouts.respiratory_folders import FOLDERS
from pipeline.data.layouts.unsorted_scans import read_any_folder
from pipeline.data.scans import MODALITIES, TEST
from pipeline.engine.errors import DataError, UsageError, did_you_mean
from pipeline.inference.answers import CT, PAIRED, XRAY

TEST_FOLDERS = {name: modality for name, (modality, split) in FOLDERS.items() if split == TEST}


def read_labelled(data: Path, class_names: Sequence[str], modality: str | None = None) -> list[PairRow]:
    """Rows with a class name each, to be answered and compared.

    data: a folder with `X_Ray_Test`, `CT_Scan_Test` or both, with class folders inside; a folder of class folders,
    whose `modality` must be told; or a CSV with image, modality, label (and patient_id) or with id, xray, ct,
    label (and patient_id, patient_id_ct). Patient ids of a folder come from its patients.csv or manifest.csv.

    Raises DataError: nothing there, an unknown class or modality (did-you-mean), a repeated id, or one class only;
    UsageError: `modality` missing, or given where the data says it.
    """
    if data.is_dir():
        rows = _read_folder(data, class_names, modality)
    elif modality is not None:
        raise UsageError("--modality is for a folder of class folders.", "Leave it out: the table says what is what.")
    else:
        rows = _read_table(data)
    for row in rows:
        _refuse_unknown_class(row.copied["label"], class_names, f"{data}: {row.id}")
    refuse_one_class(data, labels_by_modality(rows), class_names)
    return rows


def labels_by_modality(rows: Sequence[PairRow]) -> dict[str, set[str]]:
    """{modality: class names} of the rows that have it; `paired` where a row has both."""
    found: dict[str, set[str]] = {}
    for row in rows:
        names = row.modalities + ([PAIRED] if len(row.modalities) == 2 else [])
        for name in names:
            found.setdefault(name, set()).add(row.copied["label"])
    return found


def refuse_one_class(data: Path, found: dict[str, set[str]], class_names: Sequence[str]) -> None:
    """Raise DataError where a modality has scans of one class only: no AUC, no interval can be made of them."""
    for modality, labels in found.items():
        if len(labels) == 1:
            (only,) = labels
            raise DataError(
                f"{data}: every {modality} row is {only}, both classes are needed.",
                f"Add scans of {' or '.join(name for name in class_names if name != only)}.",
            )


def _read_folder(root: Path, class_names: Sequence[str], modality: str | None) -> list[PairRow]:
    present = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    tests = [name for name in TEST_FOLDERS if name in present]
    if tests:
        if modality is not None:
            raise UsageError("--modality is for a folder of class folders.", f"Leave it out: {', '.join(tests)} say it.")
        rows = [row for name in tests for row in _read_classes(root / name, root, TEST_FOLDERS[name], class_names)]
    elif set(class_names) & set(present):
        if modality is None:
            raise UsageError(f"{root}: of which modality are these scans?", "Say --modality xray or --modality ct.")
        rows = _read_classes(root, root, modality, class_names)
    else:
        near = next(filter(None, (did_you_mean(name, [*TEST_FOLDERS, *class_names]) for name in present)), "")
        raise DataError(
            f"{root}: holds neither {' nor '.join(TEST_FOLDERS)}, nor folders {' and '.join(class_names)}.{near}",
            f"Found: {', '.join(present[:8]) or 'no folder'}. A CSV is possible too.",
        )
    return rows


def _read_classes(folder: Path, root: Path, modality: str, class_names: Sequence[str]) -> list[PairRow]:
    present = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    for name in present:
        _refuse_unknown_class(name, class_names, str(folder))
    patients = read_patient_table(root)
    rows = []
    for scan in read_any_folder(folder):
        label, *below = scan.id.split("/")
        if below:
            key = scan.path.relative_to(root).as_posix()
            copied = {"label": label, "patient_id": patients.of(key).patient_id}
            rows.append(_single(key, modality, scan.path, copied))
    return rows


def _read_table(table: Path) -> list[PairRow]:
    columns = list(read_rows(table)[0])
    is_pairs = "id" in columns and bool({XRAY, CT} & set(columns))
    for column in ("label",) if is_pairs else ("image", "modality", "label"):
        if column not in columns:
            raise DataError(
                f"{table}: no column {column!r}.{did_you_mean(column, columns)}",
                "Needed are image, modality, label, or id, xray, ct, label; patient_id where known. "
                f"Its columns: {', '.join(columns)}.",
            )
    return read_pairs(table) if is_pairs else _read_images(table)


def _read_images(table: Path) -> list[PairRow]:
    rows = []
    for number, row in enumerate(read_rows(table), start=1):
        if row["modality"] not in MODALITIES:
            near = did_you_mean(row["modality"], MODALITIES)
            raise DataError(f"{table}: row {number}: modality {row['modality']!r} is unknown.{near}", "Use xray or ct.")
        copied = {name: row[name] for name in ("label", "patient_id") if name in row}
        rows.append(_single(row["image"], row["modality"], find_scan(row["image"], table.parent), copied))
    refuse_repeated_ids(rows, table)
    return rows


def _single(key: str, modality: str, path: Path | None, copied: dict[str, str]) -> PairRow:
    return PairRow(key, path if modality == XRAY else None, path if modality == CT else None, copied)


def _refuse_unknown_class(name: str, class_names: Sequence[str], where: str) -> None:
    if name not in class_names:
        raise DataError(
            f"{where}: class {name!r} is not one of this bundle's.{did_you_mean(name, class_names)}",
            f"Its classes: {', '.join(class_names)}.",
        )
