"""Which studies there are, and what each asks. Importable without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pipeline.data.scans import CT, MODALITIES, XRAY


class Study(NamedTuple):
    """question: what is asked. sides: what stands for X-ray and for CT. taught: the sides whose labels are learnt from.

    halves: both sides are X-rays, dealt at random. marked: those that stand for X-ray carry a marker. hides: what is to be
    hidden, and between what it tells.
    """

    question: str
    sides: Mapping[str, str]
    taught: tuple[str, ...] = MODALITIES
    halves: bool = False
    marked: bool = False
    hides: tuple[str, str] = ("modality", "X-ray from CT")


HIDDEN, NOTHING, UNLABELLED = "hidden", "nothing", "unlabelled"
STUDIES: Mapping[str, Study] = {
    HIDDEN: Study(
        "X-rays dealt at random into two halves, of which one carries a marker; a lesion is in both. Is the marker hidden, "
        "and the lesion kept?",
        {XRAY: "X-rays with the marker", CT: "X-rays without"}, halves=True, marked=True,
        hides=("marker", "marked X-rays from unmarked ones"),
    ),
    NOTHING: Study(
        "X-rays dealt at random into two halves: there is nothing to hide. Is anything found, or lost?",
        {XRAY: "X-rays, one half", CT: "X-rays, other half"}, halves=True,
    ),
    UNLABELLED: Study(
        "The lesion is in X-rays and CT slices and labelled in X-rays only. How well is it known in CT slices, and does hiding "
        "the modality help?",
        {XRAY: "X-rays", CT: "CT slices"}, (XRAY,),
    ),
}  # fmt: skip
