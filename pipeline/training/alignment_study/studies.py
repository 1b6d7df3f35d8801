"""Which studies there are, and what each asks. Importable without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pipeline.data.scans import CT, MODALITIES, XRAY


class Study(NamedTuple):
    """question: what is asked. sides: what stands for X-ray and for CT. taught: the sides whose labels are learnt from."""

    question: str
    sides: Mapping[str, str]
    taught: tuple[str, ...] = MODALITIES

    @property
    def of_one_modality(self) -> bool:
        """Whether both sides are X-rays, dealt at random."""
        return self.sides is HALVES


BOTH, HALVES = {XRAY: "X-rays", CT: "CT slices"}, {XRAY: "X-rays, one half", CT: "X-rays, other half"}
HIDDEN, NOTHING, UNLABELLED = "hidden", "nothing", "unlabelled"
STUDIES: Mapping[str, Study] = {
    HIDDEN: Study(
        "X-rays carry a marker, CT slices do not; a lesion is in both. Is the modality hidden, and the lesion kept?", BOTH
    ),
    NOTHING: Study("X-rays dealt at random into two halves: there is nothing to hide. Is anything found, or lost?", HALVES),
    UNLABELLED: Study(
        "The lesion is labelled in X-rays only. How well is it known in CT slices, and does hiding the modality help?",
        BOTH, (XRAY,),
    ),
}  # fmt: skip
