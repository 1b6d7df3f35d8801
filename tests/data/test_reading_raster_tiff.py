"""TIFF: depths, colours, planes, tiles, byte orders, predictors, orientation, alpha; against pixels encoded by hand, tifffile
and Pillow."""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.data.reading.scan_reader import decode_scan
from pipeline.engine.errors import DataError
from tests.data.raster_encoders import shown, tiff

WHITE, BLACK, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
SHAPE = (37, 45)


def samples(bits: int, channels: int = 1, seed: int = 0, shape: tuple[int, int] = SHAPE, kind: str = "u") -> np.ndarray:
    rng = np.random.default_rng(seed)
    if kind == "f":
        return rng.normal(3, 40, shape if channels == 1 else (*shape, channels)).astype(f"f{bits // 8}")
    low, high = (-(1 << (bits - 1)), 1 << (bits - 1)) if kind == "i" else (0, 1 << bits)
    drawn = rng.integers(low, high, (*shape, channels))
    drawn = drawn.astype(f"{kind}{max(8, 1 << (bits - 1).bit_length()) // 8}")
    return drawn[..., 0] if channels == 1 else drawn


def gray_of(data: bytes) -> np.ndarray:
    return decode_scan(data, "x.tif").gray


def difference(data: bytes, wanted: np.ndarray) -> int:
    gray = gray_of(data)
    assert gray.shape == wanted.shape
    return int(np.abs(gray.astype(int) - wanted).max())


@given(
    bits=st.sampled_from([1, 2, 4, 8, 16]), photometric=st.sampled_from([WHITE, BLACK]), order=st.sampled_from("<>"),
    big=st.booleans(), tile=st.sampled_from([0, 16, 32]), rows=st.sampled_from([0, 1, 7]), orientation=st.integers(1, 8),
    compression=st.sampled_from([1, 8, 32773]), seed=st.integers(0, 99), height=st.integers(16, 40), width=st.integers(16, 40),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_gray(bits, photometric, order, big, tile, rows, orientation, compression, seed, height, width):
    stored = samples(bits, 1, seed, (height, width))
    top = (1 << bits) - 1
    data = tiff(
        stored, bits, photometric, order=order, big=big, tile=tile, rows_per_strip=rows, compression=compression,
        tags={274: ("H", (orientation,))},
    )  # fmt: skip
    values = top - stored.astype(np.int64) if photometric == WHITE else stored
    assert difference(data, shown(values, top, orientation=orientation)) <= 1


@given(
    bits=st.sampled_from([8, 16]), planes=st.booleans(), order=st.sampled_from("<>"), tile=st.sampled_from([0, 16]),
    rows=st.sampled_from([0, 5]), predictor=st.sampled_from([1, 2]), extra=st.sampled_from([None, 1, 2]),
    orientation=st.integers(1, 8), compression=st.sampled_from([1, 8]), seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_colour(bits, planes, order, tile, rows, predictor, extra, orientation, compression, seed):
    stored = samples(bits, 3 if extra is None else 4, seed)
    if compression == 1:
        predictor = 1
    tags = {274: ("H", (orientation,))} | ({} if extra is None else {338: ("H", (extra,))})
    data = tiff(
        stored, bits, RGB, planes=planes, order=order, tile=tile, rows_per_strip=rows, predictor=predictor,
        compression=compression, tags=tags,
    )  # fmt: skip
    top = (1 << bits) - 1
    alpha = stored[..., 3] / top if extra == 2 else None
    assert difference(data, shown(stored[..., :3], top, alpha, orientation)) <= 1


def test_deep_colour_in_planes_is_not_garbled():
    rows, columns = np.mgrid[0:64, 0:48]
    smooth = ((rows + columns) * 550).astype(np.uint16)
    stored = np.dstack([smooth, smooth // 2, smooth // 3])
    data = tiff(stored, 16, RGB, planes=True, rows_per_strip=9)
    np.testing.assert_array_equal(gray_of(data), gray_of(tiff(stored, 16, RGB)))
    assert difference(data, shown(stored, 65535)) <= 1
    np.testing.assert_array_equal(decode_scan(data, "x.tif").colour, np.rint(stored / 257).astype(np.uint8))


@pytest.mark.parametrize(("bits", "kind"), [(16, "i"), (32, "u"), (32, "i"), (16, "f"), (32, "f"), (64, "f")])
@pytest.mark.parametrize("photometric", [WHITE, BLACK])
@pytest.mark.parametrize("order", ["<", ">"])
def test_signed_and_floating(bits, kind, photometric, order):
    stored = samples(bits, 1, kind=kind)
    values = -stored.astype(np.float64) if photometric == WHITE else stored
    assert difference(tiff(stored, bits, photometric, order=order), shown(values, None)) <= 1


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_odd_depths(bits):
    stored = samples(bits)
    assert difference(tiff(stored, bits, BLACK), shown(stored, (1 << bits) - 1)) <= 1
    assert difference(tiff(stored, bits, WHITE), shown((1 << bits) - 1 - stored.astype(int), (1 << bits) - 1)) <= 1


@pytest.mark.parametrize("bits", [16, 32, 64])
def test_the_floating_predictor(bits):
    stored = samples(bits, kind="f")
    predicted = tiff(stored, bits, BLACK, predictor=3, compression=8)
    np.testing.assert_array_equal(gray_of(predicted), gray_of(tiff(stored, bits, BLACK)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(value):
    stored = samples(32, kind="f")
    stored[3, 3] = value
    with pytest.raises(DataError, match="not finite"):
        gray_of(tiff(stored, 32, BLACK))


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("narrow", [False, True])
def test_palettes(bits, narrow):
    colours = np.random.default_rng(1).integers(0, 256, (1 << bits, 3))
    colours[0], colours[-1] = 10, 240
    index = samples(bits)
    told = tuple(int(value) for value in (colours if narrow else colours * 257).T.ravel())
    data = tiff(index, bits, PALETTE, tags={320: ("H", told)})
    assert difference(data, shown(colours[index], 255)) <= 1


@pytest.mark.parametrize("bits", [1, 4])
def test_the_other_order_of_bits(bits):
    stored = samples(bits)
    data = tiff(stored, bits, BLACK, fill_order=2)
    assert difference(data, shown(stored, (1 << bits) - 1)) <= 1


def test_the_other_order_of_bits_is_refused_where_programs_differ():
    with pytest.raises(DataError, match="fill order 2 at 8 bits is not read"):
        gray_of(tiff(samples(8), 8, BLACK, fill_order=2))


@pytest.mark.parametrize("bits", [8, 16])
def test_ink(bits):
    stored, top = samples(bits, 4), (1 << bits) - 1
    light = 1 - stored / top
    scan = decode_scan(tiff(stored, bits, CMYK), "x.tif")
    wanted = shown(np.rint(light[..., :3] * light[..., 3:] * top), top)
    assert np.abs(scan.gray.astype(int) - wanted).max() <= 1 and "CMYK" in scan.warnings[0]


@pytest.mark.parametrize("photometric", ["rgb", "ycbcr", "minisblack"])
@pytest.mark.parametrize("tile", [None, (32, 32)])
def test_jpeg_in_tiff(photometric, tile):
    rows, columns = np.mgrid[0:64, 0:80]
    smooth = np.rint((rows + columns) * 255 / 142).astype(np.uint8)
    pixels = smooth if photometric == "minisblack" else np.dstack([smooth, smooth[::-1], smooth[:, ::-1]])
    stream = BytesIO()
    options = {"compressionargs": {"level": 95}} | ({"tile": tile} if tile else {})
    tifffile.imwrite(stream, pixels, photometric=photometric if photometric != "ycbcr" else "rgb", compression="jpeg", **options)
    assert np.abs(gray_of(stream.getvalue()) - shown(pixels, 255).astype(int)).max() <= 8


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "packbits", "tiff_adobe_deflate", "jpeg"])
def test_what_pillow_writes(compression):
    rows, columns = np.mgrid[0:40, 0:56]
    gray = np.rint(255 * (rows + columns) / 94).astype(np.uint8)
    for picture in (Image.fromarray(gray), Image.fromarray(np.dstack([gray] * 3))):
        stream = BytesIO()
        picture.save(stream, "TIFF", compression=compression, **({"quality": 95} if compression == "jpeg" else {}))
        assert np.abs(gray_of(stream.getvalue()).astype(int) - gray).max() <= (6 if compression == "jpeg" else 0)


@pytest.mark.parametrize("compression", ["lzw", "zlib", "zstd", "lzma", "packbits"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_what_tifffile_writes(compression, dtype, byteorder):
    stored = (np.random.default_rng(2).random((50, 60)) * 250).astype(dtype)
    stream = BytesIO()
    predictor = compression not in ("packbits",)
    tifffile.imwrite(stream, stored, compression=compression, predictor=predictor, byteorder=byteorder, photometric="minisblack")
    assert difference(stream.getvalue(), shown(stored, 255 if dtype == "u1" else None)) <= 1


@pytest.mark.parametrize("kind", [1, 2])
def test_alpha_that_hides_everything_is_refused(kind):
    stored = samples(8, 4)
    stored[..., 3] = 0
    with pytest.raises(DataError, match="transparent everywhere"):
        gray_of(tiff(stored, 8, RGB, tags={338: ("H", (kind,))}))


def test_a_further_channel_without_a_meaning():
    stored = samples(8, 4)
    with pytest.raises(DataError, match="untold meaning is not read"):
        gray_of(tiff(stored, 8, RGB))
    stored[..., 3] = 255
    assert difference(tiff(stored, 8, RGB), shown(stored[..., :3], 255)) <= 1


def test_a_preview_beside_the_picture_is_left_out_and_said():
    stored = samples(8)
    data = bytearray(tiff(stored, 8, BLACK, pages=2, tags={254: ("I", (0,))}))
    second = struct.unpack_from("<I", data, len(data) - 4 - 0)[0]
    assert second == 0
    first = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, first)[0]
    place = struct.unpack_from("<I", data, first + 2 + 12 * count)[0]
    data[place + 2 + 8] = 1
    scan = decode_scan(bytes(data), "x.tif")
    np.testing.assert_array_equal(scan.gray, stored)
    assert any("preview" in said.sentence for said in scan.assumptions) and not scan.warnings


@pytest.mark.parametrize(("pages", "told"), [(2, "2 pages"), (40, "40 pages"), (5000, "4096 pages or more")])
def test_several_pages_are_refused_before_decoding(pages, told):
    with pytest.raises(DataError, match=rf"x\.tif: TIFF of {told}, one image expected"):
        gray_of(tiff(samples(8), 8, BLACK, pages=pages))


@pytest.mark.parametrize(
    ("tags", "finding"),
    [
        ({259: ("H", (6,))}, "JPEG of the old kind is not read"),
        ({259: ("H", (3,))}, "compression 3 is not read"),
        ({262: ("H", (8,))}, r"CIE L\*a\*b\* is not read"),
        ({262: ("H", (4,))}, "transparency mask is not read"),
        ({262: ("H", (32803,))}, "colour filter array"),
        ({262: ("H", (6,)), 277: ("H", (3,)), 258: ("H", (8, 8, 8))}, "YCbCr without JPEG"),
        ({258: ("H", (7,))}, "7.* bits a sample"),
        ({339: ("H", (5,))}, "format"),
        ({317: ("H", (5,))}, "predictor 5"),
        ({256: ("I", (60000,)), 257: ("I", (60000,))}, "60000x60000 pixels"),
        ({256: ("I", (0,))}, "tells no picture"),
        ({278: ("I", (5,))}, "8 strips or tiles"),
        ({273: ("I", (0,))}, "truncated TIFF"),
        ({279: ("I", (0,))}, "truncated TIFF"),
        ({279: ("I", (10**6,))}, "truncated TIFF"),
        ({279: ("I", (100,))}, "truncated TIFF"),
        ({257: ("I", (90,)), 278: ("I", (90,))}, "truncated TIFF"),
        ({259: ("H", (8,))}, "truncated or corrupt TIFF"),
        ({262: ("H", (3,))}, "a palette of 0 values"),
        ({262: ("H", (3,)), 320: ("H", (5,) * 100)}, "a palette of 100 values"),
    ],
)  # fmt: skip
def test_what_is_not_surely_read_is_refused(tags, finding):
    with pytest.raises(DataError, match=rf"x\.tif.*{finding}"):
        gray_of(tiff(samples(8), 8, BLACK, tags=tags))


def test_directories_in_a_circle_are_refused():
    data = bytearray(tiff(samples(8), 8, BLACK))
    data[-4:] = data[4:8]
    with pytest.raises(DataError, match="truncated TIFF"):
        gray_of(bytes(data))
