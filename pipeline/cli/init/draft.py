"""What a system's configuration is written from, and what of it the system writes itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple

from pipeline.data.reading.gray_reader import read_in_order
from pipeline.data.recognition.recognised import modalities_of
from pipeline.data.scans import TRAIN, Scan
from pipeline.data.splitting.splits import patient_groups
from pipeline.engine.errors import DataError, UsageError

# So many scans, spread over the data, are opened for their size.
LOOKED_AT = 40
LARGEST_SIDE, SMALLEST_SIDE, SIDE_STEP = 224, 64, 32
# Fewer training scans than these are few: smaller networks, fewer epochs, fewer folds.
FEW = 300
MOST_FOLDS = 5


@dataclass(frozen=True)
class DataFacts:
    """scans: with the split that the run will make. classes: sorted. positive: None where none was named. side: of the square
    that scans become, px, not above their own median side. notes: the column of the notes, "" for none."""

    scans: Sequence[Scan]
    classes: tuple[str, ...]
    positive: str | None
    side: int
    notes: str = ""

    @property
    def modalities(self) -> list[str]:
        return modalities_of(self.scans)

    @property
    def few(self) -> bool:
        """Whether there are few scans to train on, in the modality that has fewest."""
        counts = [sum(s.modality == name and s.split == TRAIN for s in self.scans) for name in self.modalities]
        return min(counts) < FEW

    @property
    def folds(self) -> int:
        """Folds by patient for which every class of every modality has patients enough; 2 to MOST_FOLDS."""
        patients: dict[tuple[str, str], set[str]] = {}
        for scan, patient in zip(self.scans, patient_groups(self.scans), strict=True):
            patients.setdefault((scan.modality, scan.label), set()).add(patient)
        rarest = min(len(found) for found in patients.values())
        return max(2, min(3 if self.few else MOST_FOLDS, rarest // 2))

    @property
    def masks(self) -> int:
        """Scans with a lung mask that is there."""
        return sum(scan.mask is not None and scan.mask.is_file() for scan in self.scans)

    def one_modality(self, system: str) -> str:
        """The modality of a system that reads one. Raises UsageError where the scans are of both."""
        if len(self.modalities) > 1:
            raise UsageError(f"The data hold X-rays and CT slices, and {system} reads one of them.",
                             "Say which: --modality xray or --modality ct.")  # fmt: skip
        return self.modalities[0]


class Draft(NamedTuple):
    """profiles: of s01, by name. sections: the YAML of the system's own stages. cost: a word on how long it takes."""

    profiles: dict[str, dict[str, Any]]
    sections: str
    cost: str
    lung_masks: tuple[str, ...] = ()
    sample_sheet: bool = False


def fitting_side(scans: Sequence[Scan]) -> int:
    """See `DataFacts.side`. Raises DataError where none of the scans that are looked at can be read."""
    step = max(1, len(scans) // LOOKED_AT)
    read = read_in_order([scan.path for scan in scans[::step]])
    sides = [min(gray.shape) for gray in read if not isinstance(gray, DataError)]
    if not sides:
        raise DataError(f"{scans[0].path}: neither it nor the other scans can be read.", "See data check.")
    return max(SMALLEST_SIDE, min(LARGEST_SIDE, int(median(sides)) // SIDE_STEP * SIDE_STEP))
