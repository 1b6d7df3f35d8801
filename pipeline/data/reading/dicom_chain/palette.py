"""PALETTE COLOR to RGB (PS3.3 C.7.6.3.1.5, C.7.9 for segmented tables)."""

from __future__ import annotations

import numpy as np

from pipeline.data.reading.dicom_chain.header_numbers import Attributes
from pipeline.data.reading.dicom_chain.lookup_table import LookupTable, read_table, unpacked_bytes

COLOURS = ("Red", "Green", "Blue")
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2


def through_palette(attributes: Attributes, stored: np.ndarray, signed: bool) -> np.ndarray:
    """int64 stored values (N,) → RGB uint8 (N, 3). Raises DataError where a table is missing or broken.

    Entries of up to 16 bits are narrowed by their range; tables that tell 16 bits and hold 8 are read as 8, said.
    """
    tables = [_table(attributes, colour, signed) for colour in COLOURS]
    top = max(table.top for table in tables)
    if top > 255 and max(int(table.entries.max()) for table in tables) <= 255:
        attributes.notes.add("bits", "The palette tells 16 bits an entry and holds 8: they are read as 8.")
        top = 255
    channels = [np.rint(table(stored) * (255.0 / top)).astype(np.uint8) for table in tables]
    return np.stack(channels, axis=-1)


def _table(attributes: Attributes, colour: str, signed: bool) -> LookupTable:
    descriptor = f"{colour}PaletteColorLookupTableDescriptor"
    whole, segmented = f"{colour}PaletteColorLookupTableData", f"Segmented{colour}PaletteColorLookupTableData"
    if not attributes.has(descriptor):
        raise attributes.fault(f"it is PALETTE COLOR and has no {descriptor}")
    if attributes.has(whole) or not attributes.has(segmented):
        return read_table(attributes, signed, descriptor, whole)
    count, first, bits = (int(number) for number in (*attributes.numbers(descriptor, signed=False), 0, 0, 0)[:3])
    count = count or 1 << 16
    if bits not in (8, 16):
        raise attributes.fault(f"its {descriptor} tells {bits} bits an entry, 8 or 16 expected")
    found = attributes.words(segmented)
    if found is None:
        raise attributes.fault(f"its {segmented} cannot be read")
    content, little = found
    if bits == 8:
        numbers = unpacked_bytes(content, little).astype(np.int64).tolist()
    else:
        order = "<u2" if little else ">u2"
        numbers = np.frombuffer(content[: len(content) // 2 * 2], order).astype(np.int64).tolist()
    entries = _expanded(attributes, numbers, bits, count)
    if len(entries) < count:
        raise attributes.fault(f"its {segmented} gives {len(entries)} entries, {count} expected")
    return LookupTable(np.array(entries[:count], np.int64), first - (1 << 16) * (signed and first >= 1 << 15), bits)


def _expanded(attributes: Attributes, numbers: list[int], bits: int, count: int) -> list[int]:
    """Segments → entries (C.7.9.2): discrete ones, linear ones from the entry before, and copies of earlier ones."""
    entries: list[int] = []
    position = 0
    # A last odd byte is the padding that makes the length even.
    while position + 2 < len(numbers) and len(entries) < count:
        position = _segment(attributes, numbers, position, bits, entries, count, nested=False)
    return entries


def _segment(
    attributes: Attributes, numbers: list[int], position: int, bits: int, entries: list[int], count: int, nested: bool
) -> int:
    """Appends one segment's entries; the position after it. Raises DataError for what is no segment."""
    opcode, length = numbers[position], numbers[position + 1] if position + 1 < len(numbers) else 0
    if opcode == _DISCRETE and position + 2 + length <= len(numbers):
        entries.extend(numbers[position + 2 : position + 2 + length])
        return position + 2 + length
    if opcode == _LINEAR and entries and position + 2 < len(numbers):
        start, end = entries[-1], numbers[position + 2]
        entries.extend(round(start + (end - start) * step / length) for step in range(1, length + 1))
        return position + 3
    offset_numbers = 4 if bits == 8 else 2
    if opcode == _INDIRECT and not nested and position + 2 + offset_numbers <= len(numbers):
        parts = numbers[position + 2 : position + 2 + offset_numbers]
        # The offset counts bytes from the start of the table, least significant part first.
        offset = sum(part << (bits * place) for place, part in enumerate(parts)) // (bits // 8)
        for _ in range(length):
            if offset + 2 >= len(numbers) or len(entries) >= count:
                break
            offset = _segment(attributes, numbers, offset, bits, entries, count, nested=True)
        return position + 2 + offset_numbers
    raise attributes.fault(f"segment {opcode} at entry {len(entries)} of its palette cannot be read")
