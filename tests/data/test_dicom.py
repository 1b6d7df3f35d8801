"""DICOM objects built on the fly, and the real ones where they are at hand."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from pipeline.data.reading.digests import pixel_sha1
from pipeline.data.reading.gray_reader import decode_gray, read_gray
from pipeline.engine.errors import DataError
from tests.data.dicom_objects import chest_hounsfield, dicom_bytes

REAL = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "dicom"
needs_real_data = pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data is absent")


@pytest.fixture
def ramp() -> np.ndarray:
    """uint16 (32, 64), 0…2047 in equal steps."""
    return np.arange(32 * 64, dtype=np.uint16).reshape(32, 64)


def test_ct_goes_through_the_lung_window_whatever_the_file_says() -> None:
    hounsfield = chest_hounsfield()
    hounsfield[0, :4] = (-2000, -1350, 150, 3000)
    stored = (hounsfield + 1024).astype(np.int16)
    data = dicom_bytes(stored, "CT", RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=50, WindowWidth=350)
    gray = decode_gray(data, "ct.dcm")
    assert gray.dtype == np.uint8
    assert gray[0, :4].tolist() == [0, 0, 255, 255]
    assert gray[1, 1] in (127, 128)


def test_ct_slope_is_applied() -> None:
    stored = ((chest_hounsfield() + 1000) // 2).astype(np.int16)
    stored[0, 0] = 100
    gray = decode_gray(dicom_bytes(stored, "CT", RescaleSlope=2, RescaleIntercept=-1000), "ct.dcm")
    assert gray[0, 0] == round((-800 + 1350) * 255 / 1500)


def test_xray_window_of_the_file_is_used(ramp: np.ndarray) -> None:
    gray = decode_gray(dicom_bytes(ramp, WindowCenter=1000.5, WindowWidth=1001), "x.dcm")
    assert gray.ravel()[[0, 500, 1000, 1500, 2047]].tolist() == [0, 0, 128, 255, 255]


def test_xray_without_a_window_is_stretched_between_percentiles(ramp: np.ndarray) -> None:
    outliers = ramp + np.uint16(1000)
    outliers[0, 0], outliers[-1, -1] = 0, 65535
    gray = decode_gray(dicom_bytes(outliers), "x.dcm")
    assert (gray.min(), gray.max()) == (0, 255)
    assert abs(int(gray.ravel()[1024]) - 128) <= 2


def test_padding_does_not_set_the_scale(ramp: np.ndarray) -> None:
    padded = ramp + np.uint16(30000)
    padded[:, :16] = 0
    gray = decode_gray(dicom_bytes(padded, PixelPaddingValue=0), "x.dcm")
    assert gray[:, :16].max() == 0
    assert gray[:, 16:].min() < 15 and gray[:, 16:].max() == 255


def test_eight_bit_xray_keeps_its_values() -> None:
    stored = np.full((20, 20), 90, np.uint8)
    stored[:5] = 40
    np.testing.assert_array_equal(decode_gray(dicom_bytes(stored), "x.dcm"), stored)


def test_monochrome1_is_inverted() -> None:
    stored = np.arange(400, dtype=np.uint16).reshape(20, 20).astype(np.uint8)
    data = dicom_bytes(stored, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(decode_gray(data, "x.dcm"), 255 - stored)


def test_a_window_that_leaves_nothing_is_not_used(ramp: np.ndarray) -> None:
    gray = decode_gray(dicom_bytes(ramp, WindowCenter=60000, WindowWidth=10), "x.dcm")
    assert gray.max() == 255


def test_several_frames_other_modalities_and_no_pixels_are_refused(ramp: np.ndarray) -> None:
    with pytest.raises(DataError, match="3 frames"):
        decode_gray(dicom_bytes(np.concatenate([ramp] * 3), Rows=32, NumberOfFrames=3), "x.dcm")
    with pytest.raises(DataError, match=r"x\.dcm.*'MR' is neither"):
        decode_gray(dicom_bytes(ramp, "MR"), "x.dcm")
    without = dicom_bytes(ramp)
    with pytest.raises(DataError, match="without pixel data"):
        decode_gray(without[: without.index(ramp.tobytes()) - 12], "x.dcm")


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_cut_off_object_is_refused(ramp: np.ndarray, kept: float) -> None:
    data = dicom_bytes(ramp)
    with pytest.raises(DataError, match=r"x\.dcm"):
        decode_gray(data[: int(len(data) * kept)], "x.dcm")


def test_an_object_without_preamble_is_read_by_its_suffix(ramp: np.ndarray) -> None:
    data = dicom_bytes(ramp)
    np.testing.assert_array_equal(decode_gray(data[132:], "bare.dcm"), decode_gray(data, "whole.dcm"))


@pytest.mark.realdata
@needs_real_data
@pytest.mark.parametrize("name", ["dicom_00000001_000.dcm", "RG1_J2KI.dcm"])
def test_real_radiographs_have_dark_air_and_contrast(name: str) -> None:
    gray = read_gray(REAL / name)
    assert min(gray.shape) >= 1000
    assert gray.std() > 30
    height, width = gray.shape
    corners = np.concatenate(
        [gray[: height // 20, : width // 20].ravel(), gray[: height // 20, -width // 20 :].ravel()]
    )
    middle = gray[height // 3 : 2 * height // 3, width * 9 // 20 : width * 11 // 20]
    assert np.median(corners) < np.median(middle)


@pytest.mark.realdata
@needs_real_data
def test_real_jpeg_lossless_ct_is_read_or_its_decoder_named() -> None:
    path = sorted((REAL / "ct" / "P001").glob("*.dcm"))[4]
    if find_spec("gdcm") or find_spec("libjpeg"):
        gray = read_gray(path)
        assert gray.shape == (512, 512)
        assert np.median(gray[:20, :20]) < 80
        assert gray.max() == 255
    else:
        with pytest.raises(DataError, match="python-gdcm"):
            read_gray(path)


@pytest.mark.realdata
@needs_real_data
@pytest.mark.parametrize(
    ("pattern", "count", "digest"),
    [
        ("ct/*/*.dcm", 24, "344614ed516421c542f0d3d47db63792f6d4a255d2227c93711549477397c1b7"),
        ("*.dcm", 3, "62c3456eebada9a0ca76624985d50c665c1b1af3e04815c38f4b1d64bb6ff65e"),
    ],
)
def test_the_real_objects_are_read_to_the_same_pixels(pattern: str, count: int, digest: str) -> None:
    paths = sorted(REAL.glob(pattern))
    assert len(paths) == count
    assert hashlib.sha256("".join(pixel_sha1(read_gray(path)) for path in paths).encode()).hexdigest() == digest
