"""What the pipeline knows of one scan before its pixels are read."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

XRAY = "xray"
CT = "ct"
MODALITIES = (XRAY, CT)
# A case of both is answered as one, too.
PAIRED = "paired"

TRAIN = "train"
VALID = "valid"
TEST = "test"
SPLITS = (TRAIN, VALID, TEST)

COVID = "COVID"
NON_COVID = "Non_COVID"
CLASS_NAMES = (COVID, NON_COVID)

Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Scan:
    """One image file with what its data set says of it.

    id: unique in its data set, the path relative to the root with forward slashes.
    modality: "xray" or "ct" ("" only in an inspection that was not told).
    label: class name.
    patient_id: "" where unknown.
    split: "train", "valid", "test", or "" where none is given yet.
    source: the set, site or machine that it comes from; "" where unknown.
    mask: the lung mask's file, None where there is none.
    attributes: what else the data tells of it and the run asks for (notes, age, sex, view), by column, as text.
    """

    id: str
    path: Path
    modality: str
    label: str
    patient_id: str = ""
    split: str = ""
    source: str = ""
    mask: Path | None = None
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False)


def within(modality: str, what: str) -> str:
    """``xray, class 'TB'``, and ``class 'TB'`` alone where nothing tells the modality."""
    return f"{modality}, {what}" if modality else what


def warn_python(message: str) -> None:
    """The default of every `warn` parameter: a Python warning. Stages pass `context.warn`."""
    warnings.warn(message, UserWarning, stacklevel=3)
