"""Every kind of file that people bring: read right, or refused by name."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.data.reading.gray_reader import decode_gray, read_gray, read_in_order
from pipeline.data.reading.label_reader import read_labels
from pipeline.engine.errors import DataError
from tests.pictures import shaded


@pytest.fixture
def gradient() -> np.ndarray:
    """uint8 (40, 56), smooth, with 0 and 255 in it."""
    rows, columns = np.mgrid[0:40, 0:56]
    return np.rint(255 * (rows + columns) / 94).astype(np.uint8)


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (200, 180), dtype=np.uint8)


def between_percentiles(gradient: np.ndarray) -> np.ndarray:
    low, high = np.percentile(gradient, (0.5, 99.5))
    return np.clip((gradient - low) / (high - low), 0, 1) * 255


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_lossless_gray_is_read_to_the_pixel(tmp_path: Path, gradient: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"scan{suffix}"
    cv2.imwrite(str(path), gradient)
    read = read_gray(path)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, gradient)


def test_gray_and_colour_jpeg_are_close(tmp_path: Path, gradient: np.ndarray) -> None:
    cv2.imwrite(str(tmp_path / "gray.jpg"), gradient)
    cv2.imwrite(str(tmp_path / "colour.jpg"), cv2.cvtColor(gradient, cv2.COLOR_GRAY2BGR))
    for name in ("gray.jpg", "colour.jpg"):
        assert np.abs(read_gray(tmp_path / name).astype(int) - gradient).max() <= 6


def test_the_content_decides_not_the_suffix(tmp_path: Path, gradient: np.ndarray) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), gradient)
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.png").read_bytes())
    np.testing.assert_array_equal(read_gray(tmp_path / "a.jpg"), gradient)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bit_is_stretched_between_its_percentiles(tmp_path: Path, gradient: np.ndarray, suffix: str) -> None:
    twelve_bit = gradient.astype(np.uint16) * 16 + 300
    cv2.imwrite(str(tmp_path / f"deep{suffix}"), twelve_bit)
    np.testing.assert_allclose(read_gray(tmp_path / f"deep{suffix}"), between_percentiles(gradient), atol=0.51)


@pytest.mark.parametrize(("level", "dtype"), [(900, np.uint16), (0, np.uint8), (255, np.uint8), (128, np.uint8)])
def test_a_flat_picture_is_refused(tmp_path: Path, level: int, dtype: type) -> None:
    flat = np.full((60, 60), level, dtype)
    flat[:2, :2] = 200
    cv2.imwrite(str(tmp_path / "flat.png"), flat)
    with pytest.raises(DataError, match=r"flat\.png: a flat picture"):
        read_gray(tmp_path / "flat.png")


def test_eight_gray_levels_are_enough(tmp_path: Path, gradient: np.ndarray) -> None:
    cv2.imwrite(str(tmp_path / "faint.png"), gradient // 29)
    assert read_gray(tmp_path / "faint.png").max() == 8
    cv2.imwrite(str(tmp_path / "fainter.png"), gradient // 33)
    with pytest.raises(DataError, match="gray levels 0 to 7"):
        read_gray(tmp_path / "fainter.png")


@pytest.mark.parametrize("level", [0, 1, 255])
def test_a_flat_mask_is_a_mask(tmp_path: Path, level: int) -> None:
    cv2.imwrite(str(tmp_path / "mask.png"), np.full((12, 20), level, np.uint8))
    np.testing.assert_array_equal(read_labels(tmp_path / "mask.png").values, np.full((12, 20), level))


def test_the_labels_of_a_mask_are_what_is_stored(tmp_path: Path) -> None:
    labels = np.arange(400, dtype=np.uint16).reshape(20, 20) % 7
    cv2.imwrite(str(tmp_path / "deep.png"), labels)
    stored = read_labels(tmp_path / "deep.png")
    np.testing.assert_array_equal(stored.values, labels)
    assert stored.values.dtype == np.uint16 and stored.container == "PNG"
    colours = np.dstack([labels.astype(np.uint8) * 30] * 2 + [np.full((20, 20), 9, np.uint8)])
    Image.fromarray(colours).save(tmp_path / "colour.tif")
    np.testing.assert_array_equal(read_labels(tmp_path / "colour.tif").values, colours)
    Image.fromarray(labels > 3).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "bits.png").values, np.where(labels > 3, 255, 0))
    (tmp_path / "text.png").write_bytes(b"no picture at all")
    with pytest.raises(DataError, match="text.png"):
        read_labels(tmp_path / "text.png")


def test_float_tiff_is_stretched_and_nan_refused(tmp_path: Path, gradient: np.ndarray) -> None:
    cv2.imwrite(str(tmp_path / "float.tif"), gradient.astype(np.float32) / 7 - 3)
    np.testing.assert_allclose(read_gray(tmp_path / "float.tif"), between_percentiles(gradient), atol=0.51)
    broken = gradient.astype(np.float32)
    broken[3, 3] = np.nan
    cv2.imwrite(str(tmp_path / "nan.tif"), broken)
    with pytest.raises(DataError, match=r"nan\.tif.*not finite"):
        read_gray(tmp_path / "nan.tif")


def test_palette_png_is_resolved(tmp_path: Path, gradient: np.ndarray) -> None:
    inverted_palette = [255 - level for level in range(256) for _ in range(3)]
    palette = Image.frombytes("P", gradient.shape[::-1], gradient.tobytes())
    palette.putpalette(inverted_palette)
    palette.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_gray(tmp_path / "palette.png"), 255 - gradient)


def test_one_bit_png_is_black_and_white(tmp_path: Path, gradient: np.ndarray) -> None:
    Image.fromarray(gradient > 128).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read_gray(tmp_path / "bits.png"), np.where(gradient > 128, 255, 0))


def test_alpha_is_composited_on_black(tmp_path: Path, gradient: np.ndarray) -> None:
    alpha = np.full_like(gradient, 255)
    alpha[:, :20] = 0
    alpha[:, 20:30] = 51
    cv2.imwrite(str(tmp_path / "rgba.png"), np.dstack([gradient] * 3 + [alpha]))
    Image.merge("LA", [Image.fromarray(gradient), Image.fromarray(alpha)]).save(tmp_path / "la.png")
    for name in ("rgba.png", "la.png"):
        read = read_gray(tmp_path / name)
        assert read[:, :20].max() == 0
        np.testing.assert_allclose(read[:, 20:30], gradient[:, 20:30] / 5, atol=1)
        np.testing.assert_array_equal(read[:, 30:], gradient[:, 30:])


def test_cmyk_jpeg_is_not_inverted(tmp_path: Path, gradient: np.ndarray) -> None:
    Image.fromarray(gradient).convert("RGB").convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    assert np.abs(read_gray(tmp_path / "cmyk.jpg").astype(int) - gradient).max() <= 8


def test_exif_orientation_is_applied(tmp_path: Path, gradient: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(gradient).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    read = read_gray(tmp_path / "turned.jpg")
    assert read.shape == gradient.shape[::-1]
    assert np.abs(read.astype(int) - np.rot90(gradient, -1)).max() <= 6


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_white_is_zero_tiff_is_inverted(gradient: np.ndarray, dtype: type) -> None:
    data = bytearray(cv2.imencode(".tif", gradient.astype(dtype))[1].tobytes())
    assert data[:2] == b"II"
    directory = struct.unpack("<I", data[4:8])[0]
    entries = struct.unpack("<H", data[directory : directory + 2])[0]
    for entry in range(directory + 2, directory + 2 + 12 * entries, 12):
        if data[entry : entry + 2] == struct.pack("<H", 262):
            data[entry + 8 : entry + 10] = struct.pack("<H", 0)
    wanted = 255 - gradient if dtype is np.uint8 else between_percentiles(255 - gradient)
    np.testing.assert_allclose(decode_gray(bytes(data), "negative.tif"), wanted, atol=0.51)


def test_several_pages_are_refused(tmp_path: Path, gradient: np.ndarray) -> None:
    page = Image.fromarray(gradient)
    page.save(tmp_path / "stack.tif", save_all=True, append_images=[page, page])
    with pytest.raises(DataError, match="3 pages"):
        read_gray(tmp_path / "stack.tif")


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif"])
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.97])
def test_a_cut_off_file_is_refused(tmp_path: Path, noise: np.ndarray, suffix: str, kept: float) -> None:
    whole = tmp_path / f"whole{suffix}"
    cv2.imwrite(str(whole), noise)
    cut = tmp_path / f"cut{suffix}"
    data = whole.read_bytes()
    cut.write_bytes(data[: int(len(data) * kept)])
    read_gray(whole)
    with pytest.raises(DataError, match=rf"cut\{suffix}.*(truncated|corrupt)"):
        read_gray(cut)


def test_a_cut_off_jpeg_with_a_whole_thumbnail_is_refused(tmp_path: Path, noise: np.ndarray) -> None:
    thumbnail = cv2.imencode(".jpg", noise[:32, :32])[1].tobytes()
    data = cv2.imencode(".jpg", noise)[1].tobytes()
    exif = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 8) + b"Exif\0\0" + thumbnail
    (tmp_path / "x.jpg").write_bytes((data[:2] + exif + data[2:])[:-500])
    with pytest.raises(DataError, match="truncated JPEG"):
        read_gray(tmp_path / "x.jpg")


def test_bytes_after_the_end_of_a_jpeg_do_no_harm(noise: np.ndarray) -> None:
    data = cv2.imencode(".jpg", noise)[1].tobytes()
    np.testing.assert_array_equal(decode_gray(data + b"trailing", "x"), decode_gray(data, "x"))


def test_progressive_jpeg_is_read(tmp_path: Path, noise: np.ndarray) -> None:
    Image.fromarray(noise).save(tmp_path / "p.jpg", progressive=True, quality=90)
    assert read_gray(tmp_path / "p.jpg").shape == noise.shape


def test_a_flipped_byte_in_a_png_is_refused(noise: np.ndarray) -> None:
    data = bytearray(cv2.imencode(".png", noise)[1].tobytes())
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(DataError, match="checksum"):
        decode_gray(bytes(data), "x.png")


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("empty.png", b"", "zero bytes"),
        ("note.png", b"no finding, lungs clear\n", "content is text"),
        ("page.jpg", b"<!DOCTYPE html><html></html>", "content is text"),
        ("random.png", bytes(range(256)), "no known image format"),
        ("clip.png", b"GIF89a" + bytes(40), "no known image format"),
    ],
)
def test_what_is_no_scan_is_refused_by_name(tmp_path: Path, name: str, content: bytes, cause: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=cause) as caught:
        read_gray(tmp_path / name)
    assert name in str(caught.value)


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_gray(tmp_path / "absent.png")
    with pytest.raises(DataError, match="cannot be read"):
        read_gray(tmp_path)


@pytest.mark.parametrize("shape", [(1, 1), (15, 400), (400, 15)])
def test_too_small_is_refused_with_its_size(tmp_path: Path, shape: tuple[int, int]) -> None:
    cv2.imwrite(str(tmp_path / "tiny.png"), np.zeros(shape, np.uint8))
    with pytest.raises(DataError, match=rf"{shape[1]}x{shape[0]} pixels"):
        read_gray(tmp_path / "tiny.png")


def test_sixteen_pixels_are_enough(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "small.png"), shaded(16, 16, 100))
    assert read_gray(tmp_path / "small.png").shape == (16, 16)


def test_a_decompression_bomb_is_refused_before_it_is_decoded() -> None:
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    with pytest.raises(DataError, match="60000x60000"):
        decode_gray(b"\x89PNG\r\n\x1a\n" + chunk, "bomb.png")


def test_reading_in_order_yields_errors_in_their_place(tmp_path: Path, gradient: np.ndarray) -> None:
    paths = []
    for number in range(40):
        path = tmp_path / f"{number:02}.png"
        if number % 7 == 3:
            path.write_bytes(b"")
        else:
            cv2.imwrite(str(path), np.maximum(gradient, number))
        paths.append(path)
    for number, found in enumerate(read_in_order(paths, workers=3)):
        if number % 7 == 3:
            assert isinstance(found, DataError) and f"{number:02}.png" in str(found)
        else:
            np.testing.assert_array_equal(found, np.maximum(gradient, number))
