"""Bounds of uploads: by the header, before anything is decoded; bombs are refused soon and in little memory."""

from __future__ import annotations

import struct
import time
import tracemalloc
import zlib
from io import BytesIO

import cv2
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from pipeline.data.reading.bounds import Bounds, refuse_beyond
from pipeline.engine.errors import DataError

BOUNDS = Bounds(pixels=1_000_000, frames=100, inflated=64 << 20)


def encoded(suffix: str, side: int = 64) -> bytes:
    picture = np.random.default_rng(0).integers(0, 256, (side, side), dtype=np.uint8)
    return cv2.imencode(suffix, picture)[1].tobytes()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_bomb(side: int) -> bytes:
    body = zlib.compress(bytes(1 << 20))
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def tiff_of(frames: int) -> bytes:
    """So many directories of no entry, one after another."""
    parts = [b"II*\0", struct.pack("<I", 8)]
    for number in range(frames):
        after = 8 + 6 * (number + 1)
        parts.append(struct.pack("<HI", 0, after if number + 1 < frames else 0))
    return b"".join(parts)


def dicom(syntax: str = ExplicitVRLittleEndian, side: int = 32, frames: int | None = None, pixels: bytes | None = None) -> bytes:
    held = Dataset()
    held.file_meta = FileMetaDataset()
    held.file_meta.TransferSyntaxUID = syntax
    held.file_meta.MediaStorageSOPClassUID = held.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    held.file_meta.MediaStorageSOPInstanceUID = held.SOPInstanceUID = "1.2.3"
    held.Modality, held.Rows, held.Columns = "CR", side, side
    held.SamplesPerPixel, held.PhotometricInterpretation = 1, "MONOCHROME2"
    held.BitsAllocated, held.BitsStored, held.HighBit, held.PixelRepresentation = 8, 8, 7, 0
    if frames is not None:
        held.NumberOfFrames = frames
    held.PixelData = pixels if pixels is not None else bytes(side * side)
    stream = BytesIO()
    held.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tiff", ".bmp"])
def test_pixels_are_told_by_the_header_of_every_kind(suffix):
    data = encoded(suffix)
    refuse_beyond(data, "file", BOUNDS)
    with pytest.raises(DataError, match="64x64 pixels, at most 4,095"):
        refuse_beyond(data, "file", Bounds(4095, 1, 1))


def test_a_dicom_objects_pixels_and_frames():
    refuse_beyond(dicom(), "file.dcm", BOUNDS)
    refuse_beyond(dicom(DeflatedExplicitVRLittleEndian), "file.dcm", BOUNDS)
    with pytest.raises(DataError, match="pixels"):
        refuse_beyond(dicom(side=2000, pixels=b"\0\0"), "file.dcm", BOUNDS)
    with pytest.raises(DataError, match="101 frames"):
        refuse_beyond(dicom(frames=101), "file.dcm", BOUNDS)


BOMBS = {
    "png": lambda: png_bomb(50_000), "tiff": lambda: tiff_of(1_000_000),
    "dicom": lambda: dicom(DeflatedExplicitVRLittleEndian, pixels=bytes(500_000_000)),
}  # fmt: skip


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_soon_and_in_little_memory(kind):
    data = BOMBS[kind]()
    assert len(data) < 7_000_000
    with pytest.raises(DataError):
        refuse_beyond(data, "file.dcm", BOUNDS)  # imports are not charged
    seconds = []
    for _ in range(3):
        start = time.process_time()
        with pytest.raises(DataError):
            refuse_beyond(data, "file.dcm", BOUNDS)
        seconds.append(time.process_time() - start)
    # a second of the processor for what takes hundredths of one
    assert min(seconds) < 1
    tracemalloc.start()
    with pytest.raises(DataError):
        refuse_beyond(data, "file.dcm", BOUNDS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000_000


@pytest.mark.parametrize(
    "preamble", [b"II*\0\x08\0\0\0", b"MZ\x90\0", b"\x7fELF", b"PK\x03\x04", b"%PDF-1.7", b"#!/bin/sh", b"<script>"]
)
def test_an_object_that_is_another_file_too_is_refused(preamble):
    data = preamble.ljust(128, b"\0") + dicom()[128:]
    with pytest.raises(DataError, match="too"):
        refuse_beyond(data, "file.dcm", BOUNDS)


@pytest.mark.parametrize("cut", [0, 1, 9, 20, 100, 140, 200])
def test_what_is_cut_off_is_left_to_the_decoder_or_refused(cut):
    rasters = [encoded(suffix) for suffix in (".png", ".jpg", ".tiff", ".bmp")]
    for data in (*rasters, dicom(), dicom(DeflatedExplicitVRLittleEndian)):
        try:
            refuse_beyond(data[:cut], "file.dcm", BOUNDS)
        except DataError as error:
            assert "file.dcm" in str(error)
