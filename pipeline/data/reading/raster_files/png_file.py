"""PNG (ISO 15948): the chunks are read here, the plain picture in them by libpng.

The decoder is given the picture's own chunks alone (IHDR, IDAT, IEND) and, for a palette, its indices as gray:
transparency, palette, orientation and animation are settled here, where it is seen what was done.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

import cv2
import numpy as np

from pipeline.data.reading.assumptions import Notes
from pipeline.data.reading.file_integrity import BROKEN_REMEDY, refuse_huge, truncated
from pipeline.data.reading.raster_files.orientation import UPRIGHT, exif_orientation
from pipeline.data.reading.raster_files.stored_picture import StoredPicture, mismatch, through_palette
from pipeline.engine.errors import DataError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GRAY, COLOUR, PALETTE, GRAY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6
DEPTHS = {GRAY: (1, 2, 4, 8, 16), COLOUR: (8, 16), PALETTE: (1, 2, 4, 8), GRAY_ALPHA: (8, 16), COLOUR_ALPHA: (8, 16)}
# The decoder gives gray with alpha as colour with alpha.
_DECODED_CHANNELS = {GRAY: 1, PALETTE: 1, COLOUR: 3, GRAY_ALPHA: 4, COLOUR_ALPHA: 4}
_USUAL_GAMMA = range(40000, 50001)


@dataclass(slots=True)
class _Chunks:
    """What the chunks of one file say; `parts` are the views of IDAT."""

    width: int
    height: int
    depth: int
    kind: int
    interlace: int
    parts: list[memoryview] = field(default_factory=list)
    others: dict[bytes, bytes] = field(default_factory=dict)
    plain: bool = True


def decode_png(data: bytes, notes: Notes) -> StoredPicture:
    """A PNG's bytes → its picture; of an animation the still one, and said.

    Raises DataError: chunks that are missing, cut off or damaged, a combination of colour type and depth that there is
    not, or pixel data that do not fill the picture.
    """
    chunks = _read_chunks(data, notes.name)
    if b"acTL" in chunks.others:
        notes.add("frames", "An animated PNG: its still picture is read, the other frames are left out.")
    gamma = chunks.others.get(b"gAMA", b"")
    if len(gamma) == 4 and b"sRGB" not in chunks.others and struct.unpack(">I", gamma)[0] not in _USUAL_GAMMA:
        told = struct.unpack(">I", gamma)[0] / 100000
        notes.add("colour", f"The PNG tells a gamma of {told:g} (gAMA): not applied, the stored values are read.")
    decoded = _decoded(data, chunks, notes.name)
    samples, alpha, alpha_top = _with_transparency(decoded, chunks, notes.name)
    block = chunks.others.get(b"eXIf")
    orientation = exif_orientation(block, notes) if block else UPRIGHT
    depth = 8 if chunks.kind == PALETTE else chunks.depth
    picture = StoredPicture(samples, (1 << depth) - 1, alpha, alpha_top, orientation=orientation)
    return picture.checked(notes.name, "PNG", chunks.height, chunks.width, 1 if samples.ndim == 2 else 3)


def _read_chunks(data: bytes, name: str) -> _Chunks:
    """Every chunk up to IEND, each with its checksum (5.3)."""
    view, position, chunks, ended_at = memoryview(data), len(SIGNATURE), None, -1
    while True:
        if position + 12 > len(data):
            raise truncated(name, "PNG")
        length, kind = struct.unpack(">I4s", view[position : position + 8])
        end = position + 8 + length
        if end + 4 > len(data):
            raise truncated(name, "PNG")
        if zlib.crc32(view[position + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            raise _corrupt(name, f"checksum of chunk {kind.decode('latin1')!r}")
        content = view[position + 8 : end]
        if chunks is None:
            chunks = _header(kind, content, name)
        elif kind == b"IEND":
            if not chunks.parts:
                raise truncated(name, "PNG")
            return chunks
        elif kind == b"IDAT":
            if chunks.parts and ended_at != position:
                raise _corrupt(name, "pixel data in two places")
            chunks.parts.append(content)
            ended_at = end + 4
        elif kind == b"IHDR" or (kind == b"PLTE" and (kind in chunks.others or chunks.parts)):
            raise _corrupt(name, f"a second or late {kind.decode()}")
        else:
            chunks.plain = False
            chunks.others.setdefault(kind, b"" if kind in (b"fdAT", b"fcTL") else bytes(content))
        position = end + 4


def _header(kind: bytes, content: memoryview, name: str) -> _Chunks:
    if kind != b"IHDR" or len(content) != 13:
        raise _corrupt(name, "no IHDR")
    width, height, depth, colour, compression, filters, interlace = struct.unpack(">IIBBBBB", content)
    refuse_huge(name, width, height)
    legal = depth in DEPTHS.get(colour, ()) and not compression and not filters and interlace < 2 and width and height
    if not legal:
        raise _corrupt(name, f"no such picture: {width}x{height}, colour type {colour}, {depth} bits, interlace {interlace}")
    return _Chunks(width, height, depth, colour, interlace)


def _decoded(data: bytes, chunks: _Chunks, name: str) -> np.ndarray:
    """Samples as libpng reads them: gray spread over its depth, colour as RGB, palettes as indices."""
    if not chunks.plain or chunks.kind == PALETTE:
        kind = GRAY if chunks.kind == PALETTE else chunks.kind
        header = struct.pack(">IIBBBBB", chunks.width, chunks.height, chunks.depth, kind, 0, 0, chunks.interlace)
        body = b"".join(chunks.parts)
        data = SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as cause:
        if cause.code == cv2.Error.StsNoMem:
            raise MemoryError from cause
        raise _corrupt(name, "its pixel data cannot be decoded") from cause
    if pixels is None:
        raise _corrupt(name, "its pixel data cannot be decoded")
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    wanted = np.uint16 if chunks.depth == 16 else np.uint8
    if channels != _DECODED_CHANNELS[chunks.kind] or pixels.dtype != wanted:
        told = f"colour type {chunks.kind} of {chunks.depth} bits"
        raise mismatch(name, "PNG", told, f"{channels} channels of {pixels.dtype}")
    if channels > 1:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if channels == 3 else cv2.COLOR_BGRA2RGBA)
    return pixels // np.uint8(255 // ((1 << chunks.depth) - 1)) if chunks.depth < 8 else pixels


def _with_transparency(pixels: np.ndarray, chunks: _Chunks, name: str) -> tuple[np.ndarray, np.ndarray | None, int]:
    """Samples (H, W) or RGB (H, W, 3), alpha and its top: of the alpha channel, or of the chunk tRNS (11.3.2.1)."""
    told, top = chunks.others.get(b"tRNS"), (1 << chunks.depth) - 1
    if chunks.kind == PALETTE:
        return _through_palette(pixels, chunks, name)
    if chunks.kind == GRAY_ALPHA:
        return np.ascontiguousarray(pixels[..., 0]), pixels[..., 3], top
    if chunks.kind == COLOUR_ALPHA:
        return np.ascontiguousarray(pixels[..., :3]), pixels[..., 3], top
    if told is None:
        return pixels, None, 1
    if len(told) != (2 if chunks.kind == GRAY else 6):
        raise _corrupt(name, "tRNS of a wrong length")
    key = np.frombuffer(told, ">u2").astype(np.int64) & top
    shown = pixels != key[0] if chunks.kind == GRAY else (pixels != key).any(axis=-1)
    return pixels, shown.astype(np.uint8), 1


def _through_palette(index: np.ndarray, chunks: _Chunks, name: str) -> tuple[np.ndarray, np.ndarray | None, int]:
    stored, transparency = chunks.others.get(b"PLTE", b""), chunks.others.get(b"tRNS")
    if not stored or len(stored) % 3 or len(stored) > 768:
        raise _corrupt(name, "no palette" if not stored else f"a palette of {len(stored)} bytes")
    palette = np.frombuffer(stored, np.uint8).reshape(-1, 3)
    shown = through_palette(index, palette, name, "PNG")
    if transparency is None:
        return shown, None, 255
    alpha = np.full(256, 255, np.uint8)
    alpha[: len(transparency)] = np.frombuffer(transparency[:256], np.uint8)
    return shown, alpha[index], 255


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _corrupt(name: str, finding: str) -> DataError:
    return DataError(f"{name}: corrupt PNG ({finding}).", BROKEN_REMEDY)
