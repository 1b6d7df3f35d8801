"""PNG: every colour type and depth, interlaced, transparent, turned, animated; against pixels encoded by hand and Pillow."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.data.reading.raster_files.png_file import COLOUR, COLOUR_ALPHA, DEPTHS, GRAY, GRAY_ALPHA, PALETTE
from pipeline.data.reading.scan_reader import decode_scan
from pipeline.engine.errors import DataError
from tests.data.raster_encoders import exif, png, png_chunk, shown

KINDS = [(kind, depth) for kind, depths in DEPTHS.items() for depth in depths]
CHANNELS = {GRAY: 1, PALETTE: 1, COLOUR: 3, GRAY_ALPHA: 2, COLOUR_ALPHA: 4}


def samples(kind: int, depth: int, seed: int = 0, shape: tuple[int, int] = (23, 37)) -> np.ndarray:
    drawn = np.random.default_rng(seed).integers(0, 1 << depth, (*shape, CHANNELS[kind]))
    return drawn[..., 0] if CHANNELS[kind] == 1 else drawn


def colours(seed: int = 0, count: int = 256) -> np.ndarray:
    """Random ones, the first and the last far apart."""
    drawn = np.random.default_rng(seed).integers(0, 256, (count, 3)).astype(np.uint8)
    drawn[0], drawn[-1] = drawn[0] // 4, 255 - drawn[-1] // 4
    return drawn


def expected(stored: np.ndarray, kind: int, depth: int, palette: np.ndarray, orientation: int = 1) -> np.ndarray:
    top = (1 << depth) - 1
    if kind == PALETTE:
        return shown(palette[stored], 255, orientation=orientation)
    if kind in (GRAY_ALPHA, COLOUR_ALPHA):
        colour = stored[..., 0] if kind == GRAY_ALPHA else stored[..., :3]
        return shown(colour, top, stored[..., -1] / top, orientation)
    return shown(stored, top, orientation=orientation)


def difference(data: bytes, wanted: np.ndarray) -> int:
    gray = decode_scan(data, "x.png").gray
    assert gray.shape == wanted.shape
    return int(np.abs(gray.astype(int) - wanted).max())


@given(
    which=st.sampled_from(KINDS), interlaced=st.booleans(), orientation=st.integers(1, 8), order=st.sampled_from("<>"),
    seed=st.integers(0, 999), height=st.integers(16, 40), width=st.integers(16, 40),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_every_colour_type_depth_and_orientation(which, interlaced, orientation, order, seed, height, width):
    kind, depth = which
    stored, palette = samples(kind, depth, seed, (height, width)), colours(seed, 1 << min(depth, 8))
    chunks = [(b"eXIf", exif(orientation, order))] + ([(b"PLTE", palette.tobytes())] if kind == PALETTE else [])
    data = png(stored, depth, kind, interlaced=interlaced, chunks=tuple(chunks))
    assert difference(data, expected(stored, kind, depth, palette, orientation)) <= 1


@pytest.mark.parametrize(("kind", "depth"), [pair for pair in KINDS if pair[0] in (GRAY, COLOUR, PALETTE) and pair[1] < 16])
@pytest.mark.parametrize("interlaced", [False, True])
def test_pillow_sees_the_same_picture(kind, depth, interlaced):
    stored, palette = samples(kind, depth), colours(count=1 << min(depth, 8))
    data = png(stored, depth, kind, interlaced=interlaced, chunks=((b"PLTE", palette.tobytes()),) if kind == PALETTE else ())
    told = np.asarray(Image.open(BytesIO(data)).convert("RGB" if kind in (COLOUR, PALETTE) else "L"))
    assert difference(data, shown(told, 255)) <= 1


@pytest.mark.parametrize(("depth", "key"), [(2, 3), (4, 9), (8, 77), (16, 777)])
def test_the_transparent_level_of_a_gray_png_is_black(depth, key):
    stored = samples(GRAY, depth)
    stored[3, 5] = key
    data = png(stored, depth, GRAY, chunks=((b"tRNS", struct.pack(">H", key)),))
    scan = decode_scan(data, "x.png")
    assert difference(data, shown(stored, (1 << depth) - 1, (stored != key).astype(float))) <= 1
    assert scan.gray[3, 5] == 0 and [said.name for said in scan.assumptions if said.changes_answer][0] == "alpha"


@pytest.mark.parametrize("depth", [8, 16])
def test_the_transparent_colour_of_a_colour_png_is_black(depth):
    stored = samples(COLOUR, depth)
    data = png(stored, depth, COLOUR, chunks=((b"tRNS", struct.pack(">HHH", *stored[3, 5])),))
    alpha = (stored != stored[3, 5]).any(axis=-1)
    assert difference(data, shown(stored, (1 << depth) - 1, alpha.astype(float))) <= 1


def test_a_transparent_palette():
    stored, palette = samples(PALETTE, 4), colours(count=16)
    alpha = np.array([0, 128, 255, 7])
    data = png(stored, 4, PALETTE, chunks=((b"PLTE", palette.tobytes()), (b"tRNS", alpha.astype(np.uint8).tobytes())))
    whole = np.concatenate([alpha, np.full(12, 255)])[stored] / 255
    assert difference(data, shown(palette[stored], 255, whole)) <= 1


def test_a_gray_palette_is_gray():
    stored, palette = samples(PALETTE, 8), np.arange(256, dtype=np.uint8)[::-1, None].repeat(3, axis=1)
    scan = decode_scan(png(stored, 8, PALETTE, chunks=((b"PLTE", palette.tobytes()),)), "x.png")
    assert scan.colour is None
    np.testing.assert_array_equal(scan.gray, 255 - stored)


@pytest.mark.parametrize("kind", [GRAY_ALPHA, COLOUR_ALPHA])
@pytest.mark.parametrize("depth", [8, 16])
def test_alpha_that_hides_everything_is_refused(kind, depth):
    stored = samples(kind, depth)
    stored[..., -1] = 0
    with pytest.raises(DataError, match=r"x\.png: transparent everywhere.*without its alpha"):
        decode_scan(png(stored, depth, kind), "x.png")


def test_opaque_alpha_is_nothing_to_speak_of():
    stored = samples(COLOUR_ALPHA, 8)
    stored[..., 3] = 255
    scan = decode_scan(png(stored, 8, COLOUR_ALPHA), "x.png")
    assert not scan.assumptions
    np.testing.assert_array_equal(scan.colour, stored[..., :3])


def test_alpha_that_hides_a_part_is_said_with_its_share():
    stored = samples(GRAY_ALPHA, 8)
    stored[..., 1] = 255
    stored[:, :10, 1] = 0
    scan = decode_scan(png(stored, 8, GRAY_ALPHA), "x.png")
    assert not scan.gray[:, :10].any() and any("27.0% of it fully transparent" in said for said in scan.warnings)
    np.testing.assert_array_equal(scan.gray[:, 10:], stored[:, 10:, 0])


def test_one_bright_pixel_does_not_darken_a_deep_picture():
    rows, columns = np.mgrid[0:64, 0:64]
    stored = (rows + columns) * 32
    stored[0, 0] = 65535
    scan = decode_scan(png(stored, 16, GRAY), "x.png")
    assert 120 < scan.gray.mean() < 135 and any("99.5th percentile" in said for said in scan.warnings)


@pytest.mark.parametrize("level", [0, 900, 65535])
@pytest.mark.parametrize("noise", [0, 3])
def test_a_flat_deep_picture_is_refused(level, noise):
    stored = np.clip(level + np.random.default_rng(0).integers(-noise, noise + 1, (32, 32)), 0, 65535)
    with pytest.raises(DataError, match="a flat picture"):
        decode_scan(png(stored, 16, GRAY), "x.png")


def test_an_animation_gives_its_still_picture_and_says_so():
    stored = samples(GRAY, 8)
    data = png(stored, 8, GRAY, chunks=((b"acTL", struct.pack(">II", 2, 0)), (b"fcTL", bytes(26))))
    scan = decode_scan(data, "x.png")
    np.testing.assert_array_equal(scan.gray, stored)
    assert any("animated" in said for said in scan.warnings)


def test_gamma_is_not_applied_and_said_where_it_is_unusual():
    stored = samples(GRAY, 8)
    usual = decode_scan(png(stored, 8, GRAY, chunks=((b"gAMA", struct.pack(">I", 45455)),)), "x.png")
    odd = decode_scan(png(stored, 8, GRAY, chunks=((b"gAMA", struct.pack(">I", 100000)),)), "x.png")
    np.testing.assert_array_equal(odd.gray, stored)
    np.testing.assert_array_equal(usual.gray, stored)
    assert not usual.warnings and "gamma of 1" in odd.warnings[0]


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_there_is_not_is_upright_and_never_stops_a_picture(orientation):
    stored = samples(GRAY, 8)
    scan = decode_scan(png(stored, 8, GRAY, chunks=((b"eXIf", exif(orientation)),)), "x.png")
    np.testing.assert_array_equal(scan.gray, stored)
    assert bool(scan.warnings) == (orientation > 0)


def test_damaged_exif_is_said():
    stored = samples(GRAY, 8)
    scan = decode_scan(png(stored, 8, GRAY, chunks=((b"eXIf", b"II*\0\xff\xff\xff\xff"),)), "x.png")
    assert "EXIF block is damaged" in scan.warnings[0]


def header(width: int, height: int, depth: int, kind: int, interlace: int = 0) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlace))


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        (header(50000, 50000, 8, 0), "50000x50000 pixels"),
        (header(20, 20, 4, 2), "no such picture"),
        (header(20, 20, 3, 0), "no such picture"),
        (header(0, 20, 8, 0), "no such picture"),
        (header(20, 20, 8, 0, 2), "no such picture"),
        (header(20, 20, 8, 0) + png_chunk(b"IEND", b""), "truncated PNG"),
        (header(20, 20, 8, 0) + png_chunk(b"IDAT", zlib.compress(bytes(21 * 10))) + png_chunk(b"IEND", b""), "pixel data"),
        (png(samples(PALETTE, 8), 8, PALETTE), "no palette"),
        (png(samples(PALETTE, 8), 8, PALETTE, chunks=((b"PLTE", bytes(30)),)), "of a palette of 10"),
        (png(samples(GRAY, 8), 8, GRAY, chunks=((b"tRNS", b"\0"),)), "tRNS of a wrong length"),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_refused_by_name(data, finding):
    with pytest.raises(DataError, match=rf"x\.png.*{finding}"):
        decode_scan(data, "x.png")
