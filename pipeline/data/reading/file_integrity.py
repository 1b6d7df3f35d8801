"""Whether an image file is whole, told from its bytes.

Decoders fill what is missing from a cut-off JPEG or PNG with gray and say nothing, so a broken download would
pass for a scan. These checks read the container's own structure; they cost microseconds.
"""

from __future__ import annotations

import struct
import zlib

from pipeline.engine.errors import DataError

MAXIMUM_PIXELS = 1 << 27
BROKEN_REMEDY = "Fetch or export the file again, or leave it out."

_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})


def truncated(name: str, kind: str) -> DataError:
    """The error for a file that ends too early."""
    return DataError(f"{name}: truncated {kind}.", BROKEN_REMEDY)


def refuse_huge(name: str, width: int, height: int) -> None:
    """Raises DataError for more than 2²⁷ pixels: no scan, and decoding it could exhaust the memory."""
    if width * height > MAXIMUM_PIXELS:
        raise DataError(
            f"{name}: {width}x{height} pixels, at most {MAXIMUM_PIXELS:,} are read.", "Scale it down first."
        )


def check_jpeg(data: bytes, name: str) -> int:
    """The number of colour components (1, 3, 4) of a JPEG that has its end marker.

    Walks the segments to the first scan; entropy-coded data never contains FF D9 (ITU-T T.81, B.1.1.5), so an
    end marker after it means that the picture is whole, whatever an embedded thumbnail holds. Raises
    DataError.
    """
    position, components = 2, 0
    while True:
        if position + 4 > len(data):
            raise truncated(name, "JPEG")
        if data[position] != 0xFF:
            raise DataError(f"{name}: corrupt JPEG (no marker at byte {position}).", BROKEN_REMEDY)
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker in _WITHOUT_LENGTH:
            position += 2
            continue
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        if marker in _START_OF_FRAME and position + 10 <= len(data):
            height, width, components = struct.unpack(">HHB", data[position + 5 : position + 10])
            refuse_huge(name, width, height)
        position += 2 + length
        if marker == 0xDA:
            break
    if data.find(b"\xff\xd9", position) < 0:
        raise truncated(name, "JPEG")
    return components


def check_png(data: bytes, name: str) -> None:
    """Raises DataError unless every PNG chunk up to IEND is there with its checksum (ISO 15948, 5.3)."""
    view, position = memoryview(data), 8
    while True:
        if position + 12 > len(data):
            raise truncated(name, "PNG")
        length, kind = struct.unpack(">I4s", view[position : position + 8])
        end = position + 8 + length
        if end + 4 > len(data):
            raise truncated(name, "PNG")
        if zlib.crc32(view[position + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            raise DataError(
                f"{name}: corrupt PNG (checksum of chunk {kind.decode('latin1')!r}).", BROKEN_REMEDY
            )
        if kind == b"IHDR":
            refuse_huge(name, *struct.unpack(">II", view[position + 8 : position + 16]))
        if kind == b"IEND":
            return
        position = end + 4


def check_bmp(data: bytes, name: str) -> None:
    """Raises DataError where an uncompressed BMP is shorter than its header says."""
    if len(data) < 34:
        raise truncated(name, "BMP")
    offset = struct.unpack("<I", data[10:14])[0]
    header_size = struct.unpack("<I", data[14:18])[0]
    if header_size < 40:
        return
    width, height, _, bits, compression = struct.unpack("<iiHHI", data[18:34])
    refuse_huge(name, abs(width), abs(height))
    row_bytes = (abs(width) * bits + 31) // 32 * 4
    if compression in (0, 3) and offset + row_bytes * abs(height) > len(data):
        raise truncated(name, "BMP")
