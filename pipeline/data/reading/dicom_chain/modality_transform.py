"""Stored values to what the modality means by them: modality LUT or rescale (PS3.3 C.11.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.data.reading.dicom_chain.header_numbers import Attributes
from pipeline.data.reading.dicom_chain.lookup_table import LookupTable, read_table
from pipeline.data.reading.dicom_chain.stored_values import Cells


@dataclass(frozen=True, slots=True)
class ModalityTransform:
    """A table, or slope and intercept, or neither; `span` is the range of what it can give."""

    cells: Cells
    table: LookupTable | None = None
    slope: float | None = None
    intercept: float | None = None

    def __call__(self, stored: np.ndarray) -> np.ndarray:
        """int64 stored values → float64."""
        if self.table is not None:
            return self.table(stored).astype(np.float64)
        if self.slope is not None and self.intercept is not None:
            return stored.astype(np.float64) * self.slope + self.intercept
        return stored.astype(np.float64)

    @property
    def rescales(self) -> bool:
        """Whether slope and intercept are both told."""
        return self.table is None and self.slope is not None and self.intercept is not None

    @property
    def span(self) -> tuple[float, float]:
        """What the smallest and the largest stored value become; falling for a negative slope."""
        if self.table is not None:
            return 0.0, float(self.table.top)
        low, high = self.cells.range
        if self.slope is None or self.intercept is None:
            return float(low), float(high)
        return low * self.slope + self.intercept, high * self.slope + self.intercept

    @property
    def may_be_negative(self) -> bool:
        return min(self.span) < 0


def read_modality_transform(attributes: Attributes, cells: Cells) -> ModalityTransform:
    """The transform of one image; a table goes before slope and intercept.

    Slope without intercept, intercept without slope, and a slope of 0 are not applied, and said. Raises DataError
    for values that are no numbers.
    """
    item = attributes.item("ModalityLUTSequence")
    if item is not None:
        return ModalityTransform(cells, table=read_table(item, cells.signed))
    slope, intercept = attributes.number("RescaleSlope"), attributes.number("RescaleIntercept")
    if (slope is None) != (intercept is None):
        there, absent = ("RescaleIntercept", "RescaleSlope") if slope is None else ("RescaleSlope", "RescaleIntercept")
        attributes.notes.add("rescale", f"The header has a {there} but no {absent}: stored values are taken unscaled.")
        return ModalityTransform(cells)
    if slope == 0:
        attributes.notes.add("rescale", "The header's RescaleSlope is 0: stored values are taken unscaled.")
        return ModalityTransform(cells)
    return ModalityTransform(cells, slope=slope, intercept=intercept)
