"""Names of classes, whoever chose them: one spelling each, told apart by more than their case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from unicodedata import category, normalize

from pipeline.data.scans import Scan, Warn
from pipeline.engine.errors import DataError, did_you_mean
from pipeline.engine.file_names import printable


def class_name(written: str) -> str:
    """A label as it is written in a folder's name or a cell: stripped, its accents composed.

    Raises DataError for one with line breaks or other control characters, which no table of answers could hold on a line.
    """
    name = normalize("NFC", printable(written.strip()))
    if any(category(character) == "Cc" for character in name):
        raise DataError(f"The class {name!r} has a line break or another control character in its name.", "Rename it.")
    return name


def refuse_alike_names(names: Iterable[str]) -> None:
    """Raise DataError for two names that only case, blanks, dashes or underscores tell apart: they are one class twice."""
    seen: dict[str, str] = {}
    for name in sorted(set(names)):
        first = seen.setdefault(letters(name) or name, name)
        if first != name:
            raise DataError(
                f"The classes {first!r} and {name!r} differ in case, blanks or dashes only.",
                f"Give both one name, or say it: s01.data.labels {{{name!r}: {first!r}, …}}.",
            )


def grouped(scans: Sequence[Scan], labels: Mapping[str, str], warn: Warn) -> list[Scan]:
    """The scans by the classes that a configuration makes of their labels; as they are where it says nothing.

    Scans of other labels are left out, and told. Raises DataError for a label that no scan has (did-you-mean).
    """
    if not labels:
        return list(scans)
    present = {scan.label for scan in scans}
    for name in labels:
        if name not in present:
            raise DataError(f"s01.data.labels: no scan has the label {name!r}.{did_you_mean(name, present)}",
                            f"Labels there: {', '.join(sorted(present))}.")  # fmt: skip
    others = sorted(present - set(labels))
    if others:
        count = sum(scan.label in others for scan in scans)
        warn(f"{count} scans have labels that s01.data.labels does not name, and are left out: {', '.join(others)}.")
    return [replace(scan, label=class_name(labels[scan.label])) for scan in scans if scan.label in labels]


def refuse_uneven_classes(scans: Iterable[Scan]) -> None:
    """Raise DataError where X-rays and CT slices are not of the same classes: what is learnt of one would not hold for both."""
    classes: dict[str, set[str]] = {}
    for scan in scans:
        classes.setdefault(scan.modality, set()).add(scan.label)
    if len({frozenset(found) for found in classes.values()}) > 1:
        said = "; ".join(f"{modality}: {', '.join(sorted(found))}" for modality, found in sorted(classes.items()))
        raise DataError(
            f"The modalities have different classes ({said}).",
            "Read one of them, s01.data.modalities: [xray], or bring the labels together with s01.data.labels.",
        )


def letters(name: str) -> str:
    """What of a name is compared: its letters and digits, without case."""
    return "".join(character for character in name.casefold() if character.isalnum())
