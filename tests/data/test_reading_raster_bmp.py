"""BMP: every header, depth, bit field, order of rows and run length; against pixels encoded by hand, and Pillow."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from pipeline.data.reading.scan_reader import decode_scan
from pipeline.engine.errors import DataError
from tests.data.raster_encoders import bmp, packed, shown

RNG = np.random.default_rng(5)
PALETTE = RNG.integers(0, 256, (256, 3)).astype(np.uint8)
SHAPE = (19, 27)


def rows_of(stored: np.ndarray, bits: int) -> list[bytes]:
    return [packed(row, bits, "<") for row in stored]


def read(data: bytes) -> np.ndarray:
    return decode_scan(data, "x.bmp").gray


@pytest.mark.parametrize("bits", [1, 4, 8])
@pytest.mark.parametrize("header", [12, 40, 64, 108, 124])
@pytest.mark.parametrize("top_down", [False, True])
def test_palettes(bits, header, top_down):
    top_down = top_down and header > 12  # the oldest header has no sign
    index, palette = RNG.integers(0, 1 << bits, SHAPE), PALETTE[: 1 << bits]
    data = bmp(rows_of(index, bits), SHAPE[1], bits, header=header, palette=palette, top_down=top_down)
    assert np.abs(read(data).astype(int) - shown(palette[index], 255)).max() <= 1


@pytest.mark.parametrize("header", [12, 40, 108])
@pytest.mark.parametrize("top_down", [False, True])
def test_true_colour(header, top_down):
    colour = RNG.integers(0, 256, (*SHAPE, 3)).astype(np.uint8)
    data = bmp(rows_of(colour[..., ::-1], 8), SHAPE[1], 24, header=header, top_down=top_down and header > 12)
    np.testing.assert_array_equal(decode_scan(data, "x.bmp").colour, colour)
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(data)).convert("RGB")), colour)


@pytest.mark.parametrize("reserved", [0, 7, 255])
def test_the_fourth_byte_of_plain_32_bits_is_not_alpha(reserved):
    colour = RNG.integers(0, 256, (*SHAPE, 3)).astype(np.uint8)
    words = np.dstack([colour[..., ::-1], np.full(SHAPE, reserved)])
    np.testing.assert_array_equal(decode_scan(bmp(rows_of(words, 8), SHAPE[1], 32), "x.bmp").colour, colour)


@pytest.mark.parametrize("fields", [(), (0xF800, 0x07E0, 0x001F), (0x7C00, 0x03E0, 0x001F), (0x001F, 0x07E0, 0xF800)])
def test_sixteen_bits(fields):
    words = RNG.integers(0, 1 << (15 if not fields else 16), SHAPE)
    data = bmp(rows_of(words, 16), SHAPE[1], 16, compression=3 if fields else 0, fields=fields)
    parts = [(words & mask) / mask * 255 for mask in fields or (0x7C00, 0x03E0, 0x001F)]
    assert np.abs(decode_scan(data, "x.bmp").colour - np.dstack(parts)).max() <= 0.51


def test_alpha_of_a_bit_field():
    words = RNG.integers(0, 1 << 32, SHAPE, np.uint32)
    data = bmp(rows_of(words, 32), SHAPE[1], 32, header=56, compression=3, fields=(0xFF0000, 0xFF00, 0xFF, 0xFF000000))
    colour = np.dstack([words >> shift & 255 for shift in (16, 8, 0)])
    assert np.abs(read(data) - shown(colour, 255, (words >> 24) / 255).astype(int)).max() <= 1


def run_lengths(index: np.ndarray, bits: int, absolute: bool) -> bytes:
    """Runs of one pixel, or each row as it is; the lower row first."""
    out = b""
    for row in index[::-1]:
        if absolute:
            content = row.astype(np.uint8).tobytes() if bits == 8 else packed(row, 4)
            out += bytes([0, len(row)]) + content + b"\0" * (len(content) % 2)
        else:
            out += b"".join(bytes([1, int(level) << (4 if bits == 4 else 0)]) for level in row)
        out += b"\0\0"
    return out + b"\0\1"


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("absolute", [False, True])
def test_run_lengths(bits, absolute):
    index, palette = RNG.integers(0, 1 << bits, SHAPE), PALETTE[: 1 << bits]
    runs = run_lengths(index, bits, absolute)
    data = bmp([b""] * SHAPE[0], SHAPE[1], bits, compression=1 if bits == 8 else 2, palette=palette, runs=runs)
    assert np.abs(read(data).astype(int) - shown(palette[index], 255)).max() <= 1


def test_a_run_of_two_levels():
    runs = (bytes([27, 0x4B]) + b"\0\0") * 19 + b"\0\1"
    data = bmp([b""] * 19, 27, 4, compression=2, palette=PALETTE[:16], runs=runs)
    index = np.where(np.arange(27) % 2 == 0, 4, 11)[None].repeat(19, axis=0)
    assert np.abs(read(data).astype(int) - shown(PALETTE[index], 255)).max() <= 1


@pytest.mark.parametrize(
    ("runs", "finding"),
    [
        (b"\x1b\x01\0\0" * 19, "truncated BMP"),
        (b"\x1c\x01\0\1", "a run beyond the picture"),
        (b"\x1b\x01\0\0\0\1", "tells 27 of 513 pixels"),
        (b"\0\2\1\1\0\1", "skips pixels"),
        (b"\0\x1babc", "truncated BMP"),
    ],
)
def test_run_lengths_that_leave_pixels_untold_are_refused(runs, finding):
    with pytest.raises(DataError, match=rf"x\.bmp.*{finding}"):
        read(bmp([b""] * 19, 27, 8, compression=1, palette=PALETTE, runs=runs))


@pytest.mark.parametrize(("compression", "bits"), [(4, 24), (5, 24), (9, 8), (0, 2), (1, 4), (3, 24)])
def test_kinds_that_are_not_read_are_refused(compression, bits):
    data = bmp([bytes(200)] * 19, 27, bits, compression=compression, fields=(0, 0, 0))
    with pytest.raises(DataError, match=rf"x\.bmp: BMP with compression {compression} at {bits} bits is not read"):
        read(data)


def test_a_colour_beyond_the_palette_is_refused():
    with pytest.raises(DataError, match="of a palette of 16"):
        read(bmp(rows_of(RNG.integers(0, 256, SHAPE), 8), SHAPE[1], 8, palette=PALETTE[:16]))


@pytest.mark.parametrize("size", [0, 20000])
def test_a_size_that_there_is_not_is_refused(size):
    data = bytearray(bmp(rows_of(np.zeros(SHAPE, int), 8), SHAPE[1], 8, palette=PALETTE))
    data[18:26] = size.to_bytes(4, "little") * 2
    with pytest.raises(DataError, match="no such picture" if not size else "20000x20000 pixels"):
        read(bytes(data))
