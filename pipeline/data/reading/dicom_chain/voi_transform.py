"""The values of interest of a radiograph: VOI LUT or window (PS3.3 C.11.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from pipeline.data.reading.dicom_chain.header_numbers import Attributes
from pipeline.data.reading.dicom_chain.lookup_table import LookupTable, read_table
from pipeline.data.reading.dicom_chain.modality_transform import ModalityTransform
from pipeline.engine.errors import DataError

FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


@dataclass(frozen=True, slots=True)
class Window:
    """Centre and width in the modality's units, and the function between (C.11.2.1.2, C.11.2.1.3)."""

    centre: float
    width: float
    function: str = "LINEAR"

    def __call__(self, values: np.ndarray, span: tuple[float, float]) -> np.ndarray:
        """float64 values → float64 between the two ends of `span`, which show as black and white."""
        low, high = span
        if self.function == "SIGMOID":
            with np.errstate(over="ignore"):
                return (high - low) / (1 + np.exp(-4 * (values - self.centre) / self.width)) + low
        centre, width = (self.centre - 0.5, self.width - 1) if self.function == "LINEAR" else (self.centre, self.width)
        if width == 0:
            return np.where(values > centre, high, low)
        return np.clip((values - centre) / width + 0.5, 0, 1) * (high - low) + low

    @property
    def sentence(self) -> str:
        return f"centre {self.centre:g}, width {self.width:g}, {self.function}"


def voi_choices(attributes: Attributes, modality: ModalityTransform) -> Iterator[tuple[str, Window | LookupTable]]:
    """What the header offers, best first: its VOI tables, then its windows, each in words.

    A table that cannot be read, a width that the function does not admit (below 1 for LINEAR, 0 or less for the
    others) and numbers that are none are left out, and said.
    """
    tables = attributes.items("VOILUTSequence")
    widths, centres = _numbers(attributes, "WindowWidth"), _numbers(attributes, "WindowCenter")
    offered = len(tables) + min(len(widths), len(centres))
    place = f" (the first of {offered} in the header)" if offered > 1 else ""
    for item in tables:
        try:
            yield f"the header's VOI LUT{place}", _spread(read_table(item, modality.may_be_negative), attributes)
        except DataError as error:
            attributes.notes.add("window", f"A VOI LUT of the header is left out: {error.args[0]}")
    if bool(widths) != bool(centres):
        attributes.notes.add("window", "The header has a window's centre or width alone: it is not used.")
    function = attributes.text("VOILUTFunction") or "LINEAR"
    if function not in FUNCTIONS:
        attributes.notes.add("window", f"The header's VOILUTFunction {function[:32]!r} is unknown, LINEAR is used.")
        function = "LINEAR"
    for centre, width in zip(centres, widths, strict=False):
        window = Window(centre, width, function)
        if width < 1 if function == "LINEAR" else width <= 0:
            attributes.notes.add("window", f"The header's window ({window.sentence}) is not a legal one: it is not used.")
        else:
            yield f"the header's window, {window.sentence}{place}", window


def shown_range(choice: Window | LookupTable, values: np.ndarray, span: tuple[float, float]) -> tuple[np.ndarray, float, float]:
    """Values through a window or table, with the two numbers that show as black and as white."""
    if isinstance(choice, LookupTable):
        return choice(values).astype(np.float64), 0.0, float(choice.top)
    low, high = span
    # A falling rescale turns the range round, never the picture: the window itself rises.
    low, high = min(low, high), max(low, high)
    return choice(values, (low, high)), low, high


def _spread(table: LookupTable, attributes: Attributes) -> LookupTable:
    """A table whose entries all lie in the lowest quarter of what its descriptor allows shows nearly black: its bits
    are then those of its entries (12 of 16, as some writers mean them)."""
    needed = max(1, int(table.entries.max()).bit_length())
    if needed > table.bits - 2:
        return table
    attributes.notes.add("bits", f"The VOI LUT tells {table.bits} bits an entry and uses {needed}: read as {needed}.")
    return replace(table, bits=needed)


def _numbers(attributes: Attributes, keyword: str) -> tuple[float, ...]:
    try:
        return attributes.numbers(keyword)
    except DataError:
        attributes.notes.add("window", f"The header's {keyword} is no number: its window is not used.")
        return ()
