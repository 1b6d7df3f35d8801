"""Words of pixel data to stored values: which bits count, where they stand, their sign, and padding (PS3.3 C.7.6.3)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.data.reading.dicom_chain.header_numbers import Attributes

ALLOCATIONS = (1, 8, 16, 32)


@dataclass(frozen=True, slots=True)
class Cells:
    """How one sample lies in its word: `stored` bits whose highest is bit `high` (0 the lowest) of `allocated`."""

    allocated: int
    stored: int
    high: int
    signed: bool

    def values(self, words: np.ndarray) -> np.ndarray:
        """Unsigned words, any shape → int64 stored values; bits outside the cell (overlays) are masked off."""
        shifted = (words.astype(np.int64) >> (self.high + 1 - self.stored)) & ((1 << self.stored) - 1)
        if not self.signed:
            return shifted
        sign = 1 << (self.stored - 1)
        return (shifted ^ sign) - sign

    @property
    def range(self) -> tuple[int, int]:
        """The smallest and the largest stored value."""
        if self.signed:
            return -(1 << (self.stored - 1)), (1 << (self.stored - 1)) - 1
        return 0, (1 << self.stored) - 1


def read_cells(attributes: Attributes) -> Cells:
    """BitsAllocated, BitsStored, HighBit and PixelRepresentation; what contradicts itself is mended and said.

    Raises DataError for an allocation that PS3.5 does not know and for a sign other than 0 or 1.
    """
    allocated = attributes.integer("BitsAllocated")
    if allocated not in ALLOCATIONS:
        raise attributes.fault(f"its BitsAllocated is {allocated}, not one of {', '.join(map(str, ALLOCATIONS))}")
    stored = attributes.integer("BitsStored", allocated)
    if stored is None or not 0 < stored <= allocated:
        attributes.notes.add("bits", f"The header's BitsStored is {stored} of {allocated}, taken as {allocated}.")
        stored = allocated
    high = attributes.integer("HighBit", stored - 1)
    if high is None or not stored - 1 <= high < allocated:
        attributes.notes.add("bits", f"The header's HighBit is {high} with {stored} bits stored, taken as {stored - 1}.")
        high = stored - 1
    sign = attributes.integer("PixelRepresentation", 0)
    if sign not in (0, 1):
        raise attributes.fault(f"its PixelRepresentation is {sign}, neither 0 nor 1")
    return Cells(allocated, stored, high, bool(sign))


def padded(attributes: Attributes, cells: Cells, words: np.ndarray, stored: np.ndarray) -> np.ndarray | None:
    """Boolean, like `words`: which are padding (PixelPaddingValue…PixelPaddingRangeLimit, C.7.5.1.1.2), or None.

    A padding value that does not fit the stored bits marks whole words, as old scanners wrote it.
    """
    ends = attributes.numbers("PixelPaddingValue", signed=cells.signed)
    if not ends:
        return None
    limits = attributes.numbers("PixelPaddingRangeLimit", signed=cells.signed)
    first, last = sorted((int(ends[0]), int((limits or ends)[0])))
    lowest, highest = cells.range
    if lowest <= first and last <= highest:
        return (stored >= first) & (stored <= last)
    whole = Cells(cells.allocated, cells.allocated, cells.allocated - 1, cells.signed).values(words)
    return (whole >= first) & (whole <= last)


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame as places among the words that may occur, so that the chain runs on words and not on pixels.

    `stored`: int64 (N,), the value of every word; `padding`: boolean (N,) or None; `index`: (H, W), which word.
    """

    stored: np.ndarray
    padding: np.ndarray | None
    index: np.ndarray

    def inside(self, by_word: np.ndarray) -> np.ndarray:
        """Something of every word (N,) → of every pixel, (H, W), or (P,) with padding left out."""
        # No index is out of range: "clip" only spares the check, which takes as long again.
        picture = np.take(by_word, self.index, mode="clip")
        return picture if self.padding is None else picture[~self.padding[self.index]]

    def thinned(self) -> Picture:
        """Every second row and column: enough to tell the distribution of its values."""
        return Picture(self.stored, self.padding, self.index[::2, ::2])

    def shown(self, gray: np.ndarray) -> np.ndarray:
        """Gray uint8 of every word (N,) → (H, W), padding black."""
        table = gray if self.padding is None else np.where(self.padding, np.uint8(0), gray)
        # The same look-up, several times as fast for bytes.
        return cv2.LUT(np.ascontiguousarray(self.index), table) if self.index.dtype == np.uint8 else table[self.index]


def read_picture(attributes: Attributes, cells: Cells, words: np.ndarray) -> Picture:
    """Unsigned words (H, W) → their picture. Raises DataError where every pixel is padding."""
    if words.dtype.itemsize == 1:
        levels, index = np.arange(256), words
    elif words.dtype.itemsize == 2:
        levels, index = np.arange(int(words.max()) + 1), words
    else:
        levels, places = np.unique(words, return_inverse=True)
        index = places.reshape(words.shape)
    stored = cells.values(levels)
    padding = padded(attributes, cells, levels, stored)
    if padding is None:
        return Picture(stored, None, index)
    hidden = padding[index]
    if not hidden.any():
        return Picture(stored, None, index)
    if hidden.all():
        raise attributes.fault("every pixel is padding")
    attributes.notes.add("padding", "Pixels that the header calls padding are shown black.", False)
    return Picture(stored, padding, index)
