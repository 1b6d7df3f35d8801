"""Broken PNG, JPEG, TIFF and BMP files, seeded: bits flipped, cut, lengths changed; each is read or refused by name, soon."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import BytesIO

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.data.reading.scan_reader import decode_scan
from tests.data.mutations import hold_against
from tests.data.raster_encoders import bmp, exif, packed, png, png_chunk, tiff

ROWS, COLUMNS = np.mgrid[0:48, 0:56]
GRAY = np.rint(255 * (ROWS + COLUMNS) / 102 * (0.8 + 0.2 * np.sin(ROWS / 3))).astype(np.uint8)
COLOUR = np.dstack([GRAY, GRAY[::-1], 255 - GRAY])
DEEP = GRAY.astype(np.uint16) * 257
LEVELS = np.arange(256)[:, None].repeat(3, axis=1).astype(np.uint8) // (1, 2, 3)


def png_files() -> dict[str, bytes]:
    alpha = np.dstack([GRAY, 255 - GRAY // 2])
    turned = ((b"eXIf", exif(6)), (b"gAMA", struct.pack(">I", 45455)))
    return {
        "gray.png": png(GRAY, 8, 0), "deep.png": png(DEEP, 16, 0, chunks=turned), "bits.png": png(GRAY >> 7, 1, 0),
        "colour.png": png(COLOUR, 8, 2, interlaced=True), "palette.png": png(
            GRAY.astype(int), 8, 3, chunks=((b"PLTE", LEVELS.astype(np.uint8).tobytes()), (b"tRNS", bytes([9, 200])))
        ),
        "alpha.png": png(alpha, 8, 4), "deep alpha.png": png(alpha.astype(int) * 257, 16, 4, interlaced=True),
        "key.png": png(GRAY, 8, 0, chunks=((b"tRNS", b"\0\7"), (b"acTL", struct.pack(">II", 2, 0)))),
    }  # fmt: skip


def jpeg_files() -> dict[str, bytes]:
    def saved(pixels: np.ndarray | Image.Image, **options: object) -> bytes:
        stream = BytesIO()
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        image.save(stream, "JPEG", **{"quality": 90, **options})
        return stream.getvalue()

    return {
        "gray.jpg": saved(GRAY), "colour.jpg": saved(COLOUR, exif=b"Exif\0\0" + exif(8, ">")),
        "progressive.jpg": saved(COLOUR, progressive=True), "restart.jpg": saved(GRAY, restart_marker_blocks=2),
        "cmyk.jpg": saved(Image.fromarray(COLOUR).convert("CMYK")),
        "twelve.jpg": imagecodecs.jpeg8_encode(DEEP >> 4, level=95, bitspersample=12),
        "lossless.jpg": imagecodecs.jpeg8_encode(DEEP, lossless=True, predictor=1, bitspersample=16),
    }  # fmt: skip


def tiff_files() -> dict[str, bytes]:
    def saved(pixels: np.ndarray, **options: object) -> bytes:
        stream = BytesIO()
        tifffile.imwrite(stream, pixels, metadata=None, **options)
        return stream.getvalue()

    planes = np.dstack([DEEP, DEEP // 2, DEEP // 3])
    return {
        "plain.tif": tiff(GRAY, 8, 1), "big.tif": tiff(DEEP, 16, 0, order=">", big=True, rows_per_strip=9),
        "planes.tif": tiff(planes, 16, 2, planes=True, tags={274: ("H", (7,))}), "tiles.tif": tiff(COLOUR, 8, 2, tile=16),
        "palette.tif": tiff(GRAY, 8, 3, tags={320: ("H", tuple(int(v) for v in LEVELS.astype(int).T.ravel() * 257))}),
        "deflate.tif": tiff(DEEP, 16, 1, predictor=2, compression=8), "runs.tif": tiff(GRAY, 8, 1, compression=32773),
        "float.tif": tiff(GRAY.astype(np.float32), 32, 1, predictor=3, compression=8), "bits.tif": tiff(GRAY >> 7, 1, 0),
        "lzw.tif": saved(GRAY, compression="lzw", rowsperstrip=11), "zstd.tif": saved(DEEP, compression="zstd", tile=(32, 32)),
        "jpeg.tif": saved(COLOUR, photometric="rgb", compression="jpeg"), "lzma.tif": saved(GRAY, compression="lzma"),
        "alpha.tif": tiff(np.dstack([COLOUR, 255 - GRAY // 2]), 8, 2, tags={338: ("H", (2,))}),
    }  # fmt: skip


def bmp_files() -> dict[str, bytes]:
    rows = [packed(row, 8) for row in GRAY]
    runs = b"".join(bytes([0, 56]) + row + b"\0\0" for row in rows) + b"\0\1"
    return {
        "palette.bmp": bmp(rows, 56, 8, palette=LEVELS.astype(np.uint8)),
        "runs.bmp": bmp([b""] * 48, 56, 8, compression=1, palette=LEVELS.astype(np.uint8), runs=runs),
        "colour.bmp": bmp([packed(row, 8) for row in COLOUR], 56, 24, top_down=True),
        "fields.bmp": bmp([packed(row, 16, "<") for row in DEEP], 56, 16, compression=3, fields=(0xF800, 0x07E0, 0x001F)),
    }  # fmt: skip


def with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks tell the checksums of what they hold, as far as they can be followed."""
    out, position = data[:8], 8
    while position + 12 <= len(data):
        length = struct.unpack_from(">I", data, position)[0]
        if position + 12 + length > len(data):
            break
        out += png_chunk(data[position + 4 : position + 8], data[position + 8 : position + 8 + length])
        position += 12 + length
    return out + data[position:]


# The files, their signature's length, what mends their checksums, and the least share that is still read.
KINDS: dict[str, tuple[Callable[[], dict[str, bytes]], int, Callable[[bytes], bytes] | None, float]] = {
    "PNG": (png_files, 8, with_checksums, 0.005), "JPEG": (jpeg_files, 3, None, 0.1),
    "TIFF": (tiff_files, 4, None, 0.1), "BMP": (bmp_files, 2, None, 0.2),
}  # fmt: skip


def hold(kind: str, count: int, seed: int) -> None:
    files, prefix, mended, share = KINDS[kind]
    answered, refused = hold_against(files(), count, seed, prefix, mended)
    assert answered >= int(share * count) and refused > count // 4


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_files_are_read(kind):
    for name, data in KINDS[kind][0]().items():
        assert decode_scan(data, name).gray.max() > 100


@pytest.mark.parametrize("kind", KINDS)
def test_mutated_files_are_read_or_refused(kind):
    hold(kind, 120, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_two_thousand_mutated_files_are_read_or_refused(kind):
    hold(kind, 2000, seed=2)


def test_a_deflated_bomb_gives_no_more_than_its_picture_has():
    """A strip that unpacks to a thousand times its picture."""
    data = tiff(GRAY, 8, 1, compression=8)
    small, bomb = zlib.compress(GRAY.tobytes()), zlib.compress(bytes(64 << 20), 9)
    assert small in data
    place = len(data)
    changed = bytearray(data + bomb)
    for tag, value in ((273, place), (279, len(bomb))):
        at = data.index(struct.pack("<HHI", tag, 4, 1)) + 8
        changed[at : at + 4] = struct.pack("<I", value)
    with pytest.raises(Exception, match="flat picture|corrupt TIFF") as caught:
        decode_scan(bytes(changed), "bomb.tif")
    assert type(caught.value).__name__ == "DataError"
