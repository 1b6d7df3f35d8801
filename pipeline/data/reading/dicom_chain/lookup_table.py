"""Look-up tables of DICOM: descriptor, entries, and their use (PS3.3 C.11.1.1, C.11.2.1.1, C.7.6.3.1.5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.data.reading.dicom_chain.header_numbers import Attributes


@dataclass(frozen=True, slots=True)
class LookupTable:
    """`entries` (N,) int64 for the values from `first` on, each of `bits` bits."""

    entries: np.ndarray
    first: int
    bits: int

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Values, any shape → int64 entries; values before the first and after the last get those two."""
        places = np.rint(np.asarray(values, np.float64)).astype(np.int64) - self.first
        return self.entries[np.clip(places, 0, self.entries.size - 1)]

    @property
    def top(self) -> int:
        """The largest entry that `bits` allow."""
        return (1 << self.bits) - 1


def read_table(
    attributes: Attributes, signed_input: bool, descriptor: str = "LUTDescriptor", data: str = "LUTData"
) -> LookupTable:
    """A table of a sequence's item. Raises DataError where descriptor and data do not make one.

    The number of entries 0 stands for 65,536; the first value is signed where the values that come in may be.
    Entries of at most 8 bits may lie one or two to a 16-bit word: the length tells which. Entries above what the
    descriptor's bits allow widen it, and are said.
    """
    described = attributes.numbers(descriptor, signed=False)
    if len(described) < 3:
        raise attributes.fault(f"its {descriptor} has {len(described)} values, three expected")
    count, first, bits = int(described[0]) or 1 << 16, int(described[1]), int(described[2])
    if signed_input and first >= 1 << 15:
        first -= 1 << 16
    if not 1 <= bits <= 16:
        raise attributes.fault(f"its {descriptor} tells {bits} bits an entry")
    entries = read_entries(attributes, data, count, bits)
    needed = int(entries.max()).bit_length()
    if needed > bits:
        attributes.notes.add("bits", f"A look-up table holds entries of {needed} bits, its descriptor tells {bits}.")
        bits = needed
    return LookupTable(entries, first, bits)


def read_entries(attributes: Attributes, data: str, count: int, bits: int) -> np.ndarray:
    """`count` entries of a binary element as int64. Raises DataError where it holds fewer."""
    found = attributes.words(data)
    if found is None:
        raise attributes.fault(f"its {data} is missing")
    content, little = found
    if bits <= 8 and len(content) < 2 * count:
        if len(content) < count:
            raise attributes.fault(f"its {data} holds {len(content)} entries, {count} expected")
        return unpacked_bytes(content, little)[:count].astype(np.int64)
    if len(content) < 2 * count:
        raise attributes.fault(f"its {data} holds {len(content) // 2} entries, {count} expected")
    return np.frombuffer(content, "<u2" if little else ">u2", count).astype(np.int64)


def unpacked_bytes(content: bytes, little: bool) -> np.ndarray:
    """Bytes that lie two to a word, the first in the low half (PS3.5 8.1.1), in their order."""
    packed = np.frombuffer(content[: len(content) // 2 * 2] if not little else content, np.uint8)
    return packed if little else packed.reshape(-1, 2)[:, ::-1].ravel()
