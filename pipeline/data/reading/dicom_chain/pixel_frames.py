"""The frames of an object's pixel data, native or compressed, one at a time."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.data.reading.dicom_chain.codecs import Stream, decoded, run_length_decoded
from pipeline.data.reading.dicom_chain.colour_spaces import HALVED_CHROMA, from_halved_chroma
from pipeline.data.reading.dicom_chain.header_numbers import Attributes
from pipeline.data.reading.dicom_chain.stored_values import Cells, read_cells
from pipeline.data.reading.file_integrity import refuse_huge

RLE = "1.2.840.10008.1.2.5"
NATIVE = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"})
_FRAME_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP")
_UNDEFINED_LENGTH = 0xFFFFFFFF
_ITEM, _DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"


@dataclass(frozen=True, slots=True)
class PixelFrames:
    """Where and how the frames of one object lie; `words` decodes one."""

    attributes: Attributes
    rows: int
    columns: int
    samples: int
    photometric: str
    cells: Cells
    planar: bool
    count: int
    pixels: bytes | list[bytes]
    little: bool
    swapped_bytes: bool
    run_length: bool

    def words(self, frame: int) -> tuple[np.ndarray, Stream | None]:
        """Frame 0 … count-1 as unsigned words (H, W) or (H, W, samples), and what its stream says, None for native.

        Raises DataError for compressed data that cannot be read.
        """
        if isinstance(self.pixels, bytes):
            return self._native(self.pixels, frame), None
        content = self.pixels[frame]
        if not self.run_length:
            return decoded(content, self.attributes, self.rows, self.columns, self.samples)
        size = self.rows * self.columns
        words = run_length_decoded(content, self.attributes, size, self.samples, max(1, self.cells.allocated // 8))
        shape = (self.rows, self.columns) if self.samples == 1 else (self.rows, self.columns, self.samples)
        return words.reshape(shape), None

    def _native(self, pixels: bytes, frame: int) -> np.ndarray:
        size = self.rows * self.columns
        if self.cells.allocated == 1:
            first = frame * size
            bits = np.unpackbits(np.frombuffer(pixels, np.uint8), count=first + size, bitorder="little")
            return bits[first:].reshape(self.rows, self.columns)
        width = self.cells.allocated // 8
        halved = self.samples == 3 and self.photometric in HALVED_CHROMA
        count = size * 2 if halved else size * self.samples
        order = "<" if self.little else ">"
        content = pixels[frame * count * width : (frame + 1) * count * width]
        if self.swapped_bytes:
            content = np.frombuffer(content + b"\0" * (len(content) % 2), ">u2").astype("<u2").tobytes()[: len(content)]
        words = np.frombuffer(content, f"{order}u{width}", count)
        if order == ">" and sys.byteorder == "little":
            words = words.astype(f"<u{width}")
        if halved:
            return from_halved_chroma(words, self.rows, self.columns)
        if self.samples == 1:
            return words.reshape(self.rows, self.columns)
        if self.planar:
            return words.reshape(self.samples, self.rows, self.columns).transpose(1, 2, 0)
        return words.reshape(self.rows, self.columns, self.samples)


def read_pixel_frames(dataset: Any, attributes: Attributes, photometric: str, syntax: str | None) -> PixelFrames:
    """The frames of an object, not yet decoded.

    The number of frames is the header's; where it is absent and the pixel data hold several, it is theirs, and said.
    Raises DataError: no size, too large, pixel data shorter or by a row or column longer than the header says.
    """
    rows, columns = attributes.integer("Rows"), attributes.integer("Columns")
    if not rows or not columns or rows < 0 or columns < 0:
        raise attributes.fault(f"it tells {columns}x{rows} pixels (Columns x Rows)")
    samples = attributes.integer("SamplesPerPixel", 1 if _one_sample(photometric) else 3)
    if samples != (1 if _one_sample(photometric) else 3):
        raise attributes.fault(f"it is {photometric} with {samples} sample(s) a pixel")
    cells = read_cells(attributes)
    frames = attributes.integer("NumberOfFrames", 0) or 0
    if frames < 0:
        raise attributes.fault(f"its NumberOfFrames is {frames}")
    refuse_huge(attributes.notes.name, columns, rows * samples)
    element = dataset.get_item(0x7FE00010)
    pixels = element.value
    if not isinstance(pixels, bytes) or not pixels:
        raise attributes.fault("its pixel data are empty")
    encapsulated = getattr(element, "length", 0) == _UNDEFINED_LENGTH or getattr(element, "is_undefined_length", False)
    layout = {
        "attributes": attributes, "rows": rows, "columns": columns, "samples": samples, "photometric": photometric,
        "cells": cells, "planar": attributes.integer("PlanarConfiguration", 0) == 1, "run_length": False,
        "little": bool(getattr(element, "is_little_endian", True)), "swapped_bytes": False,
    }  # fmt: skip
    if encapsulated:
        found = _compressed_frames(pixels, attributes, frames, syntax)
        return PixelFrames(**{**layout, "pixels": found, "count": len(found), "run_length": _is_run_length(found[0], syntax)})
    if syntax is not None and syntax not in NATIVE:
        raise attributes.fault("its transfer syntax is a compressed one and its pixel data are not")
    if not layout["little"] and cells.allocated == 8 and element.VR == "OW":
        layout["swapped_bytes"] = True
    if photometric in HALVED_CHROMA and columns % 2:
        raise attributes.fault(f"it is {photometric} with an odd number of columns ({columns})")
    count = _native_count(len(pixels), attributes, layout, frames)
    return PixelFrames(**{**layout, "pixels": pixels, "count": count})


def _one_sample(photometric: str) -> bool:
    return photometric.startswith("MONOCHROME") or photometric == "PALETTE COLOR"


def _native_count(length: int, attributes: Attributes, layout: dict[str, Any], told: int) -> int:
    rows, columns, allocated = layout["rows"], layout["columns"], layout["cells"].allocated
    factor = 2 if layout["samples"] == 3 and layout["photometric"] in HALVED_CHROMA else layout["samples"]
    frame_bits = rows * columns * factor * allocated
    needed = -(-frame_bits * max(told, 1) // 8)
    if length < needed:
        raise attributes.fault(f"its pixel data are truncated, {length} bytes of {needed}")
    held = length * 8 // frame_bits
    if not told and held > 1 and length - -(-frame_bits * held // 8) <= 1:
        attributes.notes.add("frames", f"The header does not tell the number of frames, the pixel data hold {held}.")
        return held
    # A row or a column too many garbles the picture; less is padding that a writer left.
    if length - needed >= max(min(rows, columns) * factor * allocated // 8, 2):
        raise attributes.fault(
            f"its pixel data have {length} bytes, {needed} expected for {columns}x{rows} pixels in {max(told, 1)} frame(s)"
        )
    if length - needed > 1:
        attributes.notes.add("frames", f"The pixel data are {length - needed} bytes longer than told: left out.", False)
    return max(told, 1)


def _compressed_frames(pixels: bytes, attributes: Attributes, told: int, syntax: str | None) -> list[bytes]:
    """The frames of encapsulated pixel data (PS3.5 A.4), told by how their fragments begin, never by the offset table."""
    fragments = _fragments(pixels, attributes)[1:]
    if not fragments:
        raise attributes.fault("its compressed pixel data hold no frame")
    if len(fragments) == told:
        return fragments
    frames: list[list[bytes]] = []
    for fragment in fragments:
        if not frames or fragment.startswith(_FRAME_STARTS) or syntax in (RLE, None) and _begins_run_length(fragment):
            frames.append([])
        frames[-1].append(fragment)
    if not told and len(frames) > 1:
        attributes.notes.add("frames", f"The header does not tell the number of frames, the pixel data hold {len(frames)}.")
    if told and len(frames) != told:
        raise attributes.fault(f"its pixel data hold {len(frames)} frame(s), {told} expected")
    return [b"".join(parts) for parts in frames]


def _fragments(pixels: bytes, attributes: Attributes) -> list[bytes]:
    fragments, position = [], 0
    while position + 8 <= len(pixels) and pixels[position : position + 4] == _ITEM:
        length = int.from_bytes(pixels[position + 4 : position + 8], "little")
        if position + 8 + length > len(pixels):
            raise attributes.fault("its compressed pixel data are truncated")
        fragments.append(pixels[position + 8 : position + 8 + length])
        position += 8 + length
    if position < len(pixels) and pixels[position : position + 4] not in (_DELIMITER, b""):
        raise attributes.fault(f"its compressed pixel data hold no item at byte {position}")
    return fragments


def _is_run_length(frame: bytes, syntax: str | None) -> bool:
    return not frame.startswith(_FRAME_STARTS) and (syntax == RLE or syntax is None and _begins_run_length(frame))


def _begins_run_length(fragment: bytes) -> bool:
    """Whether a fragment begins with the header of RLE (PS3.5 G.5): 1 to 15 segments, the first after the header."""
    return len(fragment) >= 64 and 1 <= int.from_bytes(fragment[:4], "little") <= 15 and fragment[4:8] == b"\x40\0\0\0"
