"""Names of classes, whoever chose them: one spelling each, told apart by more than their case."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from unicodedata import category, normalize

from pipeline.data.scans import Scan, Warn
from pipeline.data.words import whole_number
from pipeline.engine.errors import DataError, did_you_mean
from pipeline.engine.file_names import printable
from pipeline.engine.invocation import command_line

# A dash beside a letter joins; between digits and at an end it says something, as do the signs that stay.
LONGEST_SHOWN = 60
_JOINTS = re.compile(r"(?<=\w)[\s_-]+(?=[^\W\d])|(?<=[^\W\d])[\s_-]+(?=\w)")
_SAID_BY_NONE = re.compile(r"_|(?<!\d)\.|\.(?!\d)|[^\w.+<>=≤≥?±-]")


def class_name(written: str) -> str:
    """A label as it is written in a folder's name or a cell: stripped, its accents composed.

    Raises DataError for one with line breaks or other control characters, which no table of answers could hold on a line.
    """
    name = normalize("NFC", printable(written.strip()))
    if any(category(character) == "Cc" for character in name):
        shown = repr(name if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}…")
        raise DataError(f"The class {shown} has a line break or another control character in its name.",
                        "Rename it; in a table, look for a quote that is left open.")  # fmt: skip
    return name


def refuse_alike_names(names: Iterable[str]) -> None:
    """Raise DataError for two names that only case, blanks, dashes, punctuation or a `.0` tell apart: they are one class twice.

    `COVID+` and `COVID-`, `< 3 cm` and `> 3 cm`, `1-2` and `12` are two.
    """
    seen: dict[str, str] = {}
    for name in sorted(set(names)):
        first = seen.setdefault(_compared(name), name)
        if first != name:
            said = command_line(["--label", f"{name}={first}"])
            raise DataError(
                f"The classes {first!r} and {name!r} differ in case, blanks, dashes or the like only.",
                f"Give both one name, or say it, and the others: {said} (s01.data.labels).",
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
            "Read one of them, --modality xray (s01.data.modalities: [xray]), or bring the labels together, --label OLD=NEW "
            "(s01.data.labels).",
        )


def _compared(name: str) -> str:
    text = _JOINTS.sub("", whole_number(normalize("NFKC", name).casefold()))
    return _SAID_BY_NONE.sub("", text) or name


def letters(name: str) -> str:
    """What of a name is compared: its letters and digits, without case."""
    return "".join(character for character in name.casefold() if character.isalnum())
