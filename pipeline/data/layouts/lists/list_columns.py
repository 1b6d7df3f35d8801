"""The columns of a list of scans: named in the configuration, or found by the names that such columns usually have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.data.class_names import letters
from pipeline.engine.errors import DataError, did_you_mean
from pipeline.engine.settings import Settings

# Compared by their letters and digits: `Patient ID` is patient_id.
USUAL_NAMES: dict[str, tuple[str, ...]] = {
    "image": ("image", "image_path", "path", "file", "file_path", "filename", "file_name", "img"),
    "label": ("label", "class", "class_name", "diagnosis", "finding", "category", "target"),
    "patient": ("patient_id", "patient", "subject_id", "subject", "person_id", "person"),
    "split": ("split", "subset", "partition"),
    "modality": ("modality",),
    "source": ("source", "site", "hospital", "institution", "set", "dataset"),
    "mask": ("mask", "mask_path", "lung_mask"),
}
REQUIRED = ("image", "label")


class ListColumns(Settings):
    """The columns of a list, where they are not called as such columns usually are."""

    image: str | None = None
    """The image's path, relative to the data folder or to the list; null: image, image_path, path, file, filename or alike."""
    label: str | None = None
    """The class; null: label, class, diagnosis, finding, category or target."""
    patient: str | None = None
    """The patient, by whom splits go; null: patient_id, patient, subject_id, subject, … where there is one."""
    split: str | None = None
    """The part: train, val, test or a usual synonym in every row, or in none; null: split, subset or partition, if any."""
    modality: str | None = None
    """xray or ct, or a usual synonym; null: modality, if there is such a column."""
    source: str | None = None
    """The set, site or machine; null: source, site, hospital, institution, set or dataset, if any."""
    mask: str | None = None
    """The lung mask's path, as the image's; null: mask, mask_path or lung_mask, if any."""


def find_columns(csv: Path, header: Sequence[str], named: ListColumns) -> dict[str, str]:
    """{what: column} of those that the list has.

    Raises DataError: a named column that is not there (did-you-mean), no image or no label, or two columns that could both
    be one, of which the configuration has to name one.
    """
    found = {}
    for what, usual in USUAL_NAMES.items():
        name = getattr(named, what)
        if name is not None and name not in header:
            raise DataError(f"{csv}: no column {name!r}, which s01.data.columns.{what} names.{did_you_mean(name, header)}",
                            f"Its columns: {', '.join(header)}.")  # fmt: skip
        alike = [name] if name is not None else _usual(header, usual)
        if len(alike) > 1:
            raise DataError(f"{csv}: {' and '.join(map(repr, alike))} could both be the {what}.",
                            f"Say which: s01.data.columns.{what}.")  # fmt: skip
        if not alike and what in REQUIRED:
            raise DataError(f"{csv}: no column is called as the {what} usually is ({', '.join(usual)}).",
                            f"Name it: s01.data.columns.{what}. Its columns: {', '.join(header)}.")  # fmt: skip
        if alike:
            found[what] = alike[0]
    return found


def is_list(header: Sequence[str]) -> bool:
    """Whether a table's header has a column for the image and one for the label, by their usual names."""
    return all(_usual(header, USUAL_NAMES[what]) for what in REQUIRED)


def _usual(header: Sequence[str], usual: Sequence[str]) -> list[str]:
    known = {letters(name) for name in usual}
    return [name for name in header if letters(name) in known]
