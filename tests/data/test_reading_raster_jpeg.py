"""JPEG: processes, depths, samplings, colours, orientation; what is damaged or of a process that is not read is refused."""

from __future__ import annotations

import re
import struct
from io import BytesIO

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageOps

from pipeline.data.reading.scan_reader import decode_scan
from pipeline.engine.errors import DataError
from tests.data.raster_encoders import exif

ROWS, COLUMNS = np.mgrid[0:61, 0:83]
GRAY = np.rint(255 * (ROWS + COLUMNS) / 142).astype(np.uint8)
COLOUR = np.dstack([GRAY, GRAY[::-1], GRAY[:, ::-1]])


def jpeg(pixels: np.ndarray | Image.Image, **options: object) -> bytes:
    stream = BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(stream, "JPEG", **{"quality": 95, **options})
    return stream.getvalue()


def gray_of(data: bytes) -> np.ndarray:
    return decode_scan(data, "x.jpg").gray


def start_of_frame(data: bytes) -> int:
    return re.search(rb"\xff[\xc0\xc1\xc2\xc3]\x00", data).start()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"restart_marker_blocks": 3}])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_coding_and_sampling(options, subsampling):
    assert np.abs(gray_of(jpeg(GRAY, **options)).astype(int) - GRAY).max() <= 6
    data = jpeg(COLOUR, subsampling=subsampling, **options)
    told = np.asarray(Image.open(BytesIO(data)))
    scan = decode_scan(data, "x.jpg")
    assert np.abs(scan.colour.astype(int) - told).max() <= 1
    assert np.abs(scan.gray - told @ [0.299, 0.587, 0.114]).max() <= 1.5


@pytest.mark.parametrize("subsampling", ["444", "422", "420", "440", "411"])
def test_samplings_that_few_write(subsampling):
    data = imagecodecs.jpeg8_encode(COLOUR, level=98, subsampling=subsampling)
    told = np.asarray(Image.open(BytesIO(data)))
    assert np.abs(decode_scan(data, "x.jpg").colour.astype(int) - told).max() <= 1


@pytest.mark.parametrize("factors", [0x11, 0x21, 0x22, 0x41])
def test_a_gray_jpeg_tells_odd_sampling_factors(factors):
    data = bytearray(jpeg(GRAY))
    plain = gray_of(bytes(data))
    data[start_of_frame(bytes(data)) + 11] = factors
    try:
        np.testing.assert_array_equal(gray_of(bytes(data)), plain)
    except DataError as error:
        assert "JPEG" in error.message and factors == 0x41


def test_rgb_without_a_transform():
    data = jpeg(COLOUR, keep_rgb=True)
    assert np.abs(decode_scan(data, "x.jpg").colour.astype(int) - COLOUR).max() <= 12


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("pixels", [GRAY, COLOUR], ids=["gray", "colour"])
def test_all_orientations(orientation, order, pixels):
    data = jpeg(pixels, exif=b"Exif\0\0" + exif(orientation, order))
    told = np.asarray(ImageOps.exif_transpose(Image.open(BytesIO(data))).convert("L"))
    scan = decode_scan(data, "x.jpg")
    assert scan.gray.shape == told.shape and np.abs(scan.gray.astype(int) - told).max() <= 2
    assert not scan.warnings


def test_cmyk_is_shown_as_colour_and_said():
    data = jpeg(Image.fromarray(COLOUR).convert("CMYK"))
    told = np.asarray(Image.open(BytesIO(data)).convert("RGB"))
    scan = decode_scan(data, "x.jpg")
    assert np.abs(scan.colour.astype(int) - told).max() <= 1
    assert "CMYK" in scan.warnings[0]


def test_cmyk_that_does_not_tell_which_end_is_ink_is_refused():
    data = jpeg(Image.fromarray(COLOUR).convert("CMYK"))
    place = data.index(b"Adobe") - 4
    with pytest.raises(DataError, match="Adobe's segment is not read"):
        gray_of(data[:place] + data[place + 2 + struct.unpack_from(">H", data, place + 2)[0] :])


def test_ycck_is_turned_into_ink():
    told = Image.fromarray(COLOUR).convert("CMYK")
    # Adobe's YCCK holds inverted ink, its first three channels as YCbCr.
    ycc = np.asarray(Image.fromarray(np.asarray(told)[..., :3]).convert("YCbCr"))
    black = 255 - np.asarray(told)[..., 3:]
    data = bytearray(jpeg(Image.frombytes("CMYK", told.size, np.ascontiguousarray(255 - np.dstack([ycc, black])).tobytes())))
    data[data.index(b"Adobe") + 11] = 2
    wanted = np.asarray(told.convert("RGB"))
    assert np.abs(decode_scan(bytes(data), "x.jpg").colour.astype(int) - wanted).max() <= 14


@pytest.mark.parametrize(("bits", "lossless"), [(12, False), (8, True), (12, True), (16, True)])
def test_lossless_and_deep_pictures(bits, lossless):
    stored = (GRAY.astype(np.uint16) << (bits - 8)) if bits > 8 else GRAY
    told = {"lossless": True, "predictor": 1} if lossless else {}
    scan = decode_scan(imagecodecs.jpeg8_encode(stored, level=98, bitspersample=bits, **told), "x.jpg")
    assert any("would not tell damage" in said for said in scan.warnings)
    low, high = (0, 255) if bits == 8 else np.percentile(GRAY, (0.5, 99.5))
    assert np.abs(scan.gray - np.clip((GRAY - low) / (high - low), 0, 1) * 255).max() <= (1 if lossless else 3)


@pytest.mark.parametrize(
    ("process", "finding"),
    [(9, "arithmetic coding is not read"), (10, "arithmetic"), (5, "hierarchy"), (13, "hierarchy"), (0x37, "JPEG-LS is not")],
)
def test_processes_without_a_decoder_are_refused(process, finding):
    data = bytearray(jpeg(GRAY))
    data[start_of_frame(bytes(data)) + 1] = 0xC0 + process
    with pytest.raises(DataError, match=rf"x\.jpg: JPEG .*{finding}"):
        gray_of(bytes(data))


def test_two_components_are_refused():
    data = bytearray(jpeg(COLOUR))
    data[start_of_frame(bytes(data)) + 9] = 2
    with pytest.raises(DataError, match="of 2 components"):
        gray_of(bytes(data))


def test_a_size_without_rows_is_refused():
    data = bytearray(jpeg(GRAY))
    place = start_of_frame(bytes(data)) + 5
    data[place : place + 2] = b"\0\0"
    with pytest.raises(DataError, match="tells no picture"):
        gray_of(bytes(data))


def test_pixels_lost_in_the_middle_are_refused_not_gray():
    data = jpeg(np.random.default_rng(0).integers(0, 256, (200, 180)).astype(np.uint8))
    starts, refused = range(1000, len(data) - 400, 397), 0
    for start in starts:
        try:
            gray_of(data[:start] + data[start + 300 :])
        except DataError as error:
            refused += "corrupt JPEG" in error.message
    # The format has no checksum: some losses of noise end where the picture does.
    assert refused > 0.8 * len(starts)


def test_zeros_before_the_end_marker_do_no_harm():
    data = jpeg(GRAY)
    np.testing.assert_array_equal(gray_of(data[:-2] + bytes(700) + data[-2:]), gray_of(data))
    with pytest.raises(DataError, match="extraneous"):
        gray_of(data[:-2] + b"what is this?" + data[-2:])


def test_an_unknown_revision_of_jfif_does_no_harm():
    data = bytearray(jpeg(GRAY))
    plain = gray_of(bytes(data))
    data[data.index(b"JFIF\0") + 5] = 7
    np.testing.assert_array_equal(gray_of(bytes(data)), plain)
    with pytest.raises(DataError, match="corrupt JPEG"):
        gray_of(bytes(data[:900] + data[1100:]))


def test_a_progressive_picture_of_countless_scans_is_refused():
    data = jpeg(GRAY, progressive=True)
    last = data.rindex(b"\xff\xda")
    with pytest.raises(DataError, match="more than 100 scans"):
        gray_of(data[:-2] + data[last:-2] * 100 + data[-2:])
