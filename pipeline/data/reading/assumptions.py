"""What a reader took for granted, and what the header of a scan says: beside the gray pixels of every scan."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, slots=True)
class Assumption:
    """One thing that the file did not settle and the reader did.

    `name` is a fixed word (window, polarity, padding, orientation, alpha, bits, rescale, number, colour, frames,
    encoding, coding, intent, plane, derived, capture, order, position), `sentence` is for people. `changes_answer` is true where
    another choice would have given other pixels, so that it belongs beside the answer.
    """

    name: str
    sentence: str
    changes_answer: bool = True


@dataclass(frozen=True, slots=True)
class ScanHeader:
    """What the file's header says of the picture; nothing that names a patient.

    `modality` is "xray" or "ct" where a DICOM header says so, and None for rasters and for DICOM objects that leave
    it open (OT, SC, absent). `position_mm` is the place along the normal of the slice, None where it is not told. `slice`: which
    of `frames` was chosen, from 1 on; None where nothing was to be chosen.
    """

    container: str
    modality: str | None = None
    image_type: tuple[str, ...] = ()
    localizer: bool = False
    frames: int = 1
    photometric: str = ""
    bits_stored: int = 8
    hounsfield: bool = False
    position_mm: float | None = None
    slice: int | None = None


@dataclass(frozen=True, slots=True)
class ReadScan:
    """One scan as it was read.

    `gray`: uint8 (H, W), 0 black … 255 white. `colour`: RGB uint8 (H, W, 3) where the file holds colour and it was
    asked for, else None.
    """

    gray: np.ndarray
    colour: np.ndarray | None
    assumptions: tuple[Assumption, ...]
    header: ScanHeader

    @property
    def warnings(self) -> tuple[str, ...]:
        """The sentences that belong beside an answer."""
        return tuple(said.sentence for said in self.assumptions if said.changes_answer)


@dataclass(slots=True)
class Notes:
    """The assumptions gathered while one file is read; each is kept once."""

    name: str
    said: dict[str, Assumption] = field(default_factory=dict)

    def add(self, name: str, sentence: str, changes_answer: bool = True) -> None:
        self.said.setdefault(sentence, Assumption(name, sentence, changes_answer))

    def copy(self) -> Notes:
        """The same so far; what is added to the one is not to the other (frames of one file)."""
        return Notes(self.name, dict(self.said))

    def all(self) -> tuple[Assumption, ...]:
        return tuple(self.said.values())
