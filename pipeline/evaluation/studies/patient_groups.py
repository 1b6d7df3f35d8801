"""Groups of rows by a column such as sex, view or age."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.engine.errors import DataError

AGE_BANDS = (("<18", 18.0), ("18-39", 40.0), ("40-59", 60.0), ("60+", np.inf))
# DICOM's age string, PS3.5 table 6.2-1: three digits and a unit
DICOM_AGE = re.compile(r"(\d{1,3})([DWMY])", re.IGNORECASE)
YEARS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}
AGE_WORD = re.compile(r"(^|[^a-z])age([^a-z]|$)")
OLDEST = 130
MISSING = frozenset({"", "nan", "none", "null", "na", "n/a", "unknown", "?"})
MOST_GROUPS = 20


@dataclass(frozen=True)
class PatientGroups:
    """`column` and the groups in their order; `codes` (N,): place of each row's group, -1 where the value is missing."""

    column: str
    names: tuple[str, ...]
    codes: NDArray[np.intp]
    banded: bool = False


def patient_groups(values: ArrayLike, column: str) -> PatientGroups:
    """Groups of (N,) values: one for each distinct text, or AGE_BANDS for a column of ages in years.

    A column is of ages where its name holds the word "age" ("age", "patient_age", "PatientAge", "age_years") and every
    value is a number of years or a DICOM age ("065Y", "006M"); ages that are already bands stay what they are. Missing:
    "", "nan", "unknown", "?" and their like. Raises DataError for an impossible age, no value, one value (there is nothing
    to compare), or more than MOST_GROUPS.
    """
    texts = [_text(value) for value in np.asarray(values).tolist()]
    present = [text for text in texts if text.lower() not in MISSING]
    if not present:
        raise DataError(f"Column {column!r} has no value in any of {len(texts)} rows.", "Name another column.")
    ages = {text: age_years(text) for text in dict.fromkeys(present)}
    banded = _is_age(column) and all(age is not None for age in ages.values())
    if banded:
        named = {text: _band(age, column) for text, age in ages.items() if age is not None}
        names = [name for name, _ in AGE_BANDS if name in named.values()]
    else:
        named = {text: text for text in present}
        names = sorted(named, key=_by_size)
    if len(names) < 2:
        raise DataError(
            f"Column {column!r} has the one value {names[0]!r}: there are no groups to compare.", "Name a column that varies."
        )
    if len(names) > MOST_GROUPS:
        raise DataError(
            f"Column {column!r} has {len(names)} values ({', '.join(names[:3])}, …): too many groups.",
            f"Band it into at most {MOST_GROUPS} first.",
        )
    place = {name: number for number, name in enumerate(names)}
    codes = [place[named[text]] if text in named else -1 for text in texts]
    return PatientGroups(column, tuple(names), np.array(codes, dtype=np.intp), banded)


def age_years(text: str) -> float | None:
    """Age in years of a number or a DICOM age string ("065Y", "006M", "003W", "010D"); None for other text."""
    dicom = DICOM_AGE.fullmatch(text.strip())
    if dicom:
        return int(dicom[1]) * YEARS[dicom[2].upper()]
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _is_age(column: str) -> bool:
    return bool(AGE_WORD.search(re.sub(r"([a-z])([A-Z])", r"\1_\2", column).lower()))


def _band(age: float, column: str) -> str:
    if not 0 <= age <= OLDEST:
        raise DataError(f"Column {column!r} has the age {age:g}.", f"Give ages in years, 0 to {OLDEST}, or leave them empty.")
    return next(name for name, below in AGE_BANDS if age < below)


def _by_size(text: str) -> tuple[float, str]:
    """Numbers in their order, before words in theirs; a band by its first number."""
    number = re.match(r"[<>]?\s*(\d+(?:\.\d+)?)", text)
    start = float(number[1]) if number else np.inf
    return (start - 0.5 if text.startswith("<") else start), text
