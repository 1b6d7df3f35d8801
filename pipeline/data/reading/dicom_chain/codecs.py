"""Compressed frames to samples: JPEG (baseline to lossless), JPEG-LS, JPEG 2000 and RLE.

Which codec reads a frame is told from the frame's own first bytes, never from the transfer syntax alone; what its
header says is held against the object's before a native decoder sees it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import BytesIO

import numpy as np

from pipeline.data.reading.dicom_chain.header_numbers import Attributes, first_line
from pipeline.data.reading.raster_files.jpeg_header import read_jpeg_header
from pipeline.engine.errors import DataError

_LOSSLESS_UID, _JPEG_LS_UID, _EXTENDED_UID = "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.51"
_JPEG_2000 = b"\xff\x4f\xff\x51"
_JP2 = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
_MAXIMUM_TILES = 1 << 14
DECODER_REMEDY = "Install the package again, with its decoders, or save the scan as PNG."


@dataclass(frozen=True, slots=True)
class Stream:
    """What a compressed frame says of itself."""

    kind: str
    rows: int
    columns: int
    samples: int
    precision: int
    space: str | None = None


def decoded(frame: bytes, attributes: Attributes, rows: int, columns: int, samples: int) -> tuple[np.ndarray, Stream]:
    """One compressed frame → unsigned words (H, W) or (H, W, samples), as stored, and what the stream says.

    Raises DataError: no codec known, the stream's size or number of samples is not the header's, cut off, corrupt,
    or no installed decoder.
    """
    stream = describe(frame, attributes)
    if (stream.rows, stream.columns, stream.samples) != (rows, columns, samples):
        raise attributes.fault(
            f"its {stream.kind} holds {stream.columns}x{stream.rows} pixels of {stream.samples} sample(s), "
            f"the header says {columns}x{rows} of {samples}"
        )
    if stream.kind != "JPEG 2000":
        # GDCM ends the process over segments that do not follow each other.
        read_jpeg_header(frame, attributes.notes.name)
    readers = {"JPEG": _pillow, "JPEG 2000": _openjpeg}
    try:
        words = readers.get(stream.kind, _gdcm)(frame, stream)
    except ImportError as cause:
        raise DataError(f"{attributes.notes.name}: no installed decoder reads {stream.kind}.", DECODER_REMEDY) from cause
    except DataError:
        raise
    except Exception as cause:
        finding = f"its {stream.kind} data are truncated or corrupt ({first_line(cause)})"
        raise attributes.fault(finding) from cause
    shape = (rows, columns) if samples == 1 else (rows, columns, samples)
    if words.size != np.prod(shape):
        raise attributes.fault(f"its {stream.kind} data give {words.size} samples, {np.prod(shape)} expected")
    return words.reshape(shape), stream


def describe(frame: bytes, attributes: Attributes) -> Stream:
    """The kind, size and precision of a compressed frame. Raises DataError where it is none that is known."""
    if frame.startswith(b"\xff\xd8"):
        return _describe_jpeg(frame, attributes)
    start = 0 if frame.startswith(_JPEG_2000) else frame.find(_JPEG_2000, 0, 1 << 12) if frame.startswith(_JP2) else -1
    if start < 0 or len(frame) < start + 45:
        raise attributes.fault("its compressed pixel data are of no known codec")
    right, bottom, left, top, tile_width, tile_height = struct.unpack(">6I", frame[start + 8 : start + 32])
    samples, precision = struct.unpack(">HB", frame[start + 40 : start + 43])
    rows, columns = bottom - top, right - left
    tiles = -(-columns // max(tile_width, 1)) * -(-rows // max(tile_height, 1))
    if tile_width == 0 or tile_height == 0 or tiles > _MAXIMUM_TILES:
        raise attributes.fault(f"its JPEG 2000 data tell {tiles} tiles of {tile_width}x{tile_height}")
    return Stream("JPEG 2000", rows, columns, samples, (precision & 0x7F) + 1)


def _describe_jpeg(frame: bytes, attributes: Attributes) -> Stream:
    position, space = 2, None
    while position + 9 < len(frame) and frame[position] == 0xFF:
        marker, length = frame[position + 1], int.from_bytes(frame[position + 2 : position + 4], "big")
        if marker == 0xFF:
            position += 1
            continue
        body = frame[position + 4 : position + 2 + length]
        if marker == 0xEE and body[:5] == b"Adobe" and len(body) >= 12:
            space = "RGB" if body[11] == 0 else "YBR_FULL"
        elif marker == 0xE0 and body[:5] == b"JFIF\0":
            space = space or "YBR_FULL"
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) or marker == 0xF7:
            precision, rows, columns, samples = struct.unpack(">BHHB", frame[position + 4 : position + 10])
            identities = frame[position + 10 : position + 10 + 3 * samples : 3]
            if space is None and identities == b"RGB":
                space = "RGB"
            lossy = marker in (0xC0, 0xC1, 0xC2)
            if precision not in ((8, 12) if lossy else range(2, 17)):
                raise attributes.fault(f"its JPEG data tell {precision} bits a sample")
            kind = "JPEG-LS" if marker == 0xF7 else "JPEG lossless" if marker == 0xC3 else "JPEG" if lossy else ""
            if not kind:
                break
            kind = "JPEG extended" if kind == "JPEG" and precision > 8 else kind
            return Stream(kind, rows, columns, samples, precision, space if lossy and samples == 3 else None)
        position += 2 + max(length, 2)
    raise attributes.fault("its JPEG data have no start of frame that is known")


def _pillow(frame: bytes, stream: Stream) -> np.ndarray:
    from PIL import Image

    with Image.open(BytesIO(frame), formats=("JPEG",)) as picture:
        if stream.samples == 3 and "adobe_transform" not in picture.info:
            # Pillow then leaves the samples as they are coded.
            picture.draft("YCbCr", picture.size)
        return np.asarray(picture)


def _openjpeg(frame: bytes, stream: Stream) -> np.ndarray:
    import openjpeg

    samples = np.asarray(openjpeg.decode(frame))
    return samples.view(f"u{samples.dtype.itemsize}")


def _gdcm(frame: bytes, stream: Stream) -> np.ndarray:
    import gdcm

    gdcm.Trace.WarningOff()
    gdcm.Trace.ErrorOff()
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(frame)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((stream.columns, stream.rows, 1))
    image.SetDataElement(element)
    photometric = "MONOCHROME2" if stream.samples == 1 else "RGB"
    image.SetPhotometricInterpretation(
        gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.GetPIType(photometric))
    )
    if stream.samples > 1:
        image.SetPlanarConfiguration(0)
    syntax = {"JPEG-LS": _JPEG_LS_UID, "JPEG extended": _EXTENDED_UID}.get(stream.kind, _LOSSLESS_UID)
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    allocated = 8 if stream.precision <= 8 else 16
    image.SetPixelFormat(gdcm.PixelFormat(stream.samples, allocated, stream.precision, stream.precision - 1, 0))
    buffer = image.GetBuffer().encode("utf-8", "surrogateescape")
    return np.frombuffer(buffer, "u1" if allocated == 8 else "<u2")


def run_length_decoded(frame: bytes, attributes: Attributes, pixels: int, samples: int, width: int) -> np.ndarray:
    """An RLE frame (PS3.5 annex G) → little-endian words (pixels, samples) of `width` bytes.

    Its segments hold one byte of one sample each, the most significant first. Raises DataError where the header is
    not one of RLE or a segment does not give its pixels.
    """
    if len(frame) < 64:
        raise attributes.fault("its RLE data are cut off")
    count, *offsets = struct.unpack("<16I", frame[:64])
    if count != samples * width or not all(64 <= offset <= len(frame) for offset in offsets[:count]):
        raise attributes.fault(f"its RLE data have {count} segments, {samples * width} expected")
    ends = [*offsets[1:count], len(frame)]
    planes = np.zeros((samples, width, pixels), np.uint8)
    for segment, (start, end) in enumerate(zip(offsets[:count], ends, strict=True)):
        sample, byte = divmod(segment, width)
        plane = _unpacked_runs(frame[start:end], pixels)
        if len(plane) < pixels:
            raise attributes.fault(f"its RLE segment {segment + 1} gives {len(plane)} pixels, {pixels} expected")
        planes[sample, width - 1 - byte] = np.frombuffer(plane, np.uint8, pixels)
    words = np.ascontiguousarray(planes.transpose(2, 0, 1))
    return words.view(f"<u{width}").reshape(pixels, samples)


def _unpacked_runs(segment: bytes, size: int) -> bytearray:
    """PackBits, until `size` bytes are there or the segment ends."""
    given = bytearray()
    position, end = 0, len(segment)
    while position < end and len(given) < size:
        length = segment[position]
        if length < 128:
            given += segment[position + 1 : position + 2 + length]
            position += 2 + length
        elif length > 128:
            given += segment[position + 1 : position + 2] * (257 - length)
            position += 2
        else:
            position += 1
    return given

