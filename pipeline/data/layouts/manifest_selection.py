"""Which rows of a manifest CSV are scans of the run, and what they are called there."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from pipeline.data.csv_rows import read_rows, require_columns
from pipeline.data.image_paths import file_of, normal_path
from pipeline.data.patient_ids import known_patient
from pipeline.data.scans import TEST, TRAIN, VALID, Scan, Warn, warn_python
from pipeline.data.words import folded, same_word
from pipeline.engine.errors import DataError, did_you_mean
from pipeline.engine.settings import Settings

Split = Literal["train", "valid", "test"]


class ManifestSelection(Settings):
    """Rows of some sets of a manifest, with their labels mapped to class names."""

    sets: dict[str, Literal["xray", "ct"]] = Field(min_length=1)
    """The sets whose rows are taken, by their name in the manifest, and the modality of each."""
    labels: dict[str, str] = Field(min_length=1)
    """Class name by label or glob of the manifest: an exact name wins over a glob, then the first that fits, then a name that
    differs by case and blanks. Rows that fit none are left out, with a warning."""
    split_column: str | None = None
    """The column of a published split. Rows without a word in it go to train, or are left out where their patient is in test or
    valid; null: the data names no split."""
    split_values: dict[str, Split] = {"train": "train", "valid": "valid", "test": "test"}
    """What the words of the split column mean; one must be test."""
    set_column: str = "set"
    """The column that names a row's set."""
    image_column: str = "image"
    """The column with the image's path, relative to the data folder."""
    label_column: str = "label"
    """The column with the label."""
    patient_column: str = "patient_id"
    """The column that names the patient, by whom splits go; it may be missing."""
    mask_column: str | None = None
    """The column with the lung mask's path, relative as the images' are; null: no masks."""
    attribute_columns: tuple[str, ...] = ()
    """Further columns that later stages read: notes, age, sex, view."""

    @model_validator(mode="after")
    def _split_needs_a_test(self) -> ManifestSelection:
        if self.split_column is not None and TEST not in self.split_values.values():
            raise ValueError(f"split_values of {self.split_column!r} names no test")
        return self

    def class_of(self, label: str) -> str | None:
        """The class name of a manifest label, None where it is not selected."""
        if label in self.labels:
            return self.labels[label]
        fitting = (name for pattern, name in self.labels.items() if fnmatchcase(label, pattern))
        return next(fitting, self.labels.get(same_word(label, self.labels)))

    def modality_of(self, name: str) -> str | None:
        """The modality of a manifest's set, None where it is not selected."""
        return self.sets.get(same_word(name, self.sets))


def read_selected_scans(
    csv: Path,
    root: Path,
    selection: list[ManifestSelection] | tuple[ManifestSelection, ...],
    warn: Warn = warn_python,
) -> list[Scan]:
    """The selected rows as scans, in the manifest's order within each selection.

    csv: a table with the columns that the selections name. root: what its image paths are relative to. A
    scan's id is that path, its source the set. Raises DataError: no such column, set or label
    (did-you-mean), a split word without a meaning, an image selected twice, or none of the images on disk.
    """
    rows = read_rows(csv)
    scans: list[Scan] = []
    for chosen in selection:
        scans.extend(_selected(rows, chosen, csv, root, warn))
    _refuse_repeats(scans, csv)
    if scans and not any(scan.path.is_file() for scan in scans):
        raise DataError(
            f"{csv}: none of its {len(scans)} selected images is under {root} (first: {scans[0].id}).",
            "Give --data the folder that the manifest's paths are relative to.",
        )
    return scans


def _selected(
    rows: list[dict[str, str]], chosen: ManifestSelection, csv: Path, root: Path, warn: Warn
) -> list[Scan]:
    _check_names(rows, chosen, csv)
    scans, without_class = [], 0
    for row in rows:
        modality = chosen.modality_of(row[chosen.set_column])
        if modality is None:
            continue
        name = chosen.class_of(row[chosen.label_column])
        if name is None:
            without_class += 1
            continue
        image = row[chosen.image_column]
        scans.append(
            Scan(
                id=normal_path(image),
                path=file_of(image, root) or root,
                modality=modality,
                label=name,
                patient_id=known_patient(row.get(chosen.patient_column, "")),
                split=_split_of(row, chosen, csv),
                source=row[chosen.set_column],
                mask=file_of(row[chosen.mask_column], root) if chosen.mask_column else None,
                attributes={name: row[name] for name in chosen.attribute_columns},
            )
        )
    if without_class:
        warn(
            f"{csv.name}: {without_class} rows of {', '.join(chosen.sets)} have labels not selected; "
            "they are left out."
        )
    return scans if chosen.split_column is None else _place_rows_without_split(scans, chosen, csv, warn)


def _place_rows_without_split(
    scans: list[Scan], chosen: ManifestSelection, csv: Path, warn: Warn
) -> list[Scan]:
    held_out = {scan.patient_id for scan in scans if scan.split in (TEST, VALID)} - {""}
    placed, to_train, dropped = [], 0, 0
    for scan in scans:
        if scan.split:
            placed.append(scan)
        elif scan.patient_id in held_out:
            dropped += 1
        else:
            to_train += 1
            placed.append(replace(scan, split=TRAIN))
    if to_train or dropped:
        warn(
            f"{csv.name}: {to_train + dropped} rows of {', '.join(chosen.sets)} have no split; "
            f"{to_train} go to train, {dropped} are left out (their patient is in test or valid)."
        )
    return placed


def _split_of(row: dict[str, str], chosen: ManifestSelection, csv: Path) -> str:
    word = row[chosen.split_column] if chosen.split_column else ""
    if word and word not in chosen.split_values:
        raise DataError(
            f"{csv}: {chosen.split_column} is {word!r}, split_values has no meaning for it."
            + did_you_mean(word, chosen.split_values),
            "Add it to split_values.",
        )
    return chosen.split_values[word] if word else ""


def _check_names(rows: list[dict[str, str]], chosen: ManifestSelection, csv: Path) -> None:
    wanted = [chosen.set_column, chosen.image_column, chosen.label_column]
    wanted += [name for name in (chosen.split_column, chosen.mask_column) if name] + list(chosen.attribute_columns)
    require_columns(csv, rows, *wanted)
    sets = {row[chosen.set_column] for row in rows}
    for name in chosen.sets:
        if same_word(name, sets) not in sets:
            raise DataError(
                f"{csv}: no rows of set {name!r}." + did_you_mean(name, sets),
                f"Its sets: {', '.join(sorted(sets))}.",
            )
    labels = {row[chosen.label_column] for row in rows if chosen.modality_of(row[chosen.set_column])}
    for pattern in chosen.labels:
        if not any(folded(label) == folded(pattern) or fnmatchcase(label, pattern) for label in labels):
            raise DataError(
                f"{csv}: no label fits {pattern!r} in {', '.join(chosen.sets)}."
                + did_you_mean(pattern, labels),
                f"Labels there: {', '.join(sorted(labels))}.",
            )


def _refuse_repeats(scans: list[Scan], csv: Path) -> None:
    seen: set[str] = set()
    for scan in scans:
        if scan.id in seen:
            raise DataError(
                f"{csv}: {scan.id} is selected twice.", "Give each image one row and one selection."
            )
        seen.add(scan.id)
