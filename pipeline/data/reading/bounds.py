"""What a file may hold by its own header, for uploads: asked before anything of it is decoded or unpacked."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from pipeline.data.reading.raster_decoders import raster_kind
from pipeline.data.reading.scan_reader import broken_files_named, is_dicom, is_volume
from pipeline.engine.errors import DataError

GZIP = b"\x1f\x8b"
_WIDTH, _LENGTH = 256, 257
_CHUNK = 1 << 20
# A deflated scan is a few times smaller than what is in it; a bomb a thousand times.
MOST_DEFLATED = 64
# What stands before an object in a file that is two things at once: programs, archives, pages, scripts.
_OTHER_FILES = (b"MZ", b"\x7fELF", b"PK\x03\x04", b"%PDF", b"#!", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"GIF8", b"<")


@dataclass(frozen=True, slots=True)
class Bounds:
    """pixels: of one picture. frames: of one DICOM object. inflated: bytes that a deflated object unpacks to."""

    pixels: int
    frames: int
    inflated: int


def refuse_beyond(data: bytes, name: str, bounds: Bounds) -> None:
    """Raise DataError for a picture whose header tells of more than `bounds`, for a deflated object or volume that unpacks to
    more, or to 64 times its size, and for a DICOM object that is a file of another kind, too.

    What no header can be read of is left to the decoder, which says what is wrong with it.
    """
    kind = raster_kind(data)
    with broken_files_named(name):
        if data[128:132] == b"DICM" and (kind is not None or data.startswith(_OTHER_FILES)):
            told = f"a {kind}" if kind is not None else "a file of another kind"
            raise DataError(f"{name}: a DICOM object that is {told}, too.", "Export it again: its preamble should be empty.")
        if kind is not None:
            _refuse_pixels(_raster_size(data, kind, name), name, bounds)
        elif is_volume(name) and data.startswith(GZIP):
            _refuse_inflated(memoryview(data), name, bounds, zlib.MAX_WBITS | 16)
        elif is_dicom(data, name):
            _refuse_dicom(data, name, bounds)


def _refuse_pixels(size: tuple[int, int], name: str, bounds: Bounds) -> None:
    width, height = size
    if width * height > bounds.pixels:
        raise DataError(f"{name}: {width}x{height} pixels, at most {bounds.pixels:,} are read.", "Scale it down first.")


def _raster_size(data: bytes, kind: str, name: str) -> tuple[int, int]:
    """Width and height, (0, 0) where the header does not reach so far."""
    if kind == "PNG":
        return struct.unpack_from(">II", data, 16) if len(data) >= 24 else (0, 0)
    if kind == "JPEG":
        from pipeline.data.reading.raster_files.jpeg_header import read_jpeg_header

        frame = read_jpeg_header(data, name)
        return frame.width, frame.height
    if kind == "TIFF":
        from pipeline.data.reading.raster_files.tiff_directory import only_picture

        picture, _ = only_picture(data, name)
        return picture.value(_WIDTH, 0), picture.value(_LENGTH, 0)
    if len(data) < 26:
        return 0, 0
    narrow = struct.unpack_from("<I", data, 14)[0] == 12
    width, height = struct.unpack_from("<HH" if narrow else "<ii", data, 18)
    return abs(width), abs(height)


def _refuse_dicom(data: bytes, name: str, bounds: Bounds) -> None:
    from pipeline.data.reading.dicom_chain.dicom_object import parsed_header
    from pipeline.data.reading.dicom_chain.file_bytes import deflated_from

    start = deflated_from(data)
    if start is not None:
        _refuse_inflated(memoryview(data)[start:], name, bounds)
    header = parsed_header(data, name)
    told = [_whole(header, tag) for tag in ("Rows", "Columns", "NumberOfFrames")]
    _refuse_pixels((told[1], told[0]), name, bounds)
    if told[2] > bounds.frames:
        raise DataError(f"{name}: {told[2]:,} frames, at most {bounds.frames:,} are read.", "Save the frame that is wanted.")


def _refuse_inflated(deflated: memoryview, name: str, bounds: Bounds, kind: int = -zlib.MAX_WBITS) -> None:
    """Unpack it piece by piece, and keep none."""
    most = min(bounds.inflated, MOST_DEFLATED * len(deflated) + _CHUNK)
    inflater, count, rest = zlib.decompressobj(kind), 0, bytes(deflated)
    while rest and not inflater.eof:
        try:
            count += len(inflater.decompress(rest, _CHUNK))
        except zlib.error:
            return  # the decoder says so
        rest = inflater.unconsumed_tail
        if count > most:
            raise DataError(f"{name}: deflated, and unpacks to more than {most:,} bytes.", "Send it uncompressed.")


def _whole(header: object, tag: str) -> int:
    try:
        return int(getattr(header, tag, 0) or 0)
    except (TypeError, ValueError):
        return 0  # the decoder says what is wrong with it
