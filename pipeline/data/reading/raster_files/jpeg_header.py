"""The segments of a JPEG before its pixels (ITU-T T.81, annex B), read without a decoder."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from pipeline.data.reading.file_integrity import BROKEN_REMEDY, refuse_huge, truncated
from pipeline.engine.errors import DataError

_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_LS = 0xF7
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_SCAN, _END, _EXIF, _ADOBE = 0xDA, b"\xff\xd9", 0xE1, 0xEE


@dataclass(slots=True)
class JpegHeader:
    """The frame and what its application segments say. `process`: the number of the SOF marker, -1 without one.

    `adobe`: the colour transform that the Adobe segment tells (0, 1 YCbCr, 2 YCCK), None without the segment.
    `scans_from`: where the first scan's segment begins.
    """

    process: int = -1
    precision: int = 0
    width: int = 0
    height: int = 0
    components: int = 0
    adobe: int | None = None
    exif: bytes = b""
    scans_from: int = 0


def read_jpeg_header(data: bytes, name: str) -> JpegHeader:
    """The header of a JPEG that has its end marker.

    Decoders fill what is missing from a cut-off JPEG with gray and say nothing. The segments are walked to the first
    scan; entropy-coded data never contain FF D9 (B.1.1.5), so that an end marker after it means that the picture is
    whole, whatever an embedded thumbnail holds. Raises DataError.
    """
    position, header = 2, JpegHeader()
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
        if marker == _SCAN:
            break
        _take(header, marker, data[position + 4 : position + 2 + length], name)
        position += 2 + length
    header.scans_from = position
    if not data.endswith(_END, position + 2 + length) and data.find(_END, position + 2 + length) < 0:
        raise truncated(name, "JPEG")
    return header


def _take(header: JpegHeader, marker: int, content: bytes, name: str) -> None:
    if (marker in _START_OF_FRAME or marker == _JPEG_LS) and len(content) >= 6:
        header.process = marker - 0xC0
        header.precision, header.height, header.width, header.components = struct.unpack(">BHHB", content[:6])
        refuse_huge(name, header.width, header.height)
    elif marker == _EXIF and content.startswith(b"Exif\0\0") and not header.exif:
        header.exif = content
    elif marker == _ADOBE and content.startswith(b"Adobe") and len(content) >= 12:
        header.adobe = content[11]
