"""JPEG 2000 in DICOM, held against OpenJPEG's own program in every depth, sign and number of samples."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pipeline.data.reading.scan_reader import decode_scan
from tests.data.dicom_objects import dicom_bytes

pytestmark = pytest.mark.skipif(
    not (shutil.which("opj_compress") and shutil.which("opj_decompress")), reason="OpenJPEG's programs are absent"
)
LOSSLESS, LOSSY = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"
ROWS, COLUMNS = 40, 56


def samples(bits: int, signed: bool, count: int = 1) -> np.ndarray:
    """int64 (ROWS, COLUMNS[, count]) over the whole range, smooth."""
    rows, columns = np.mgrid[0:ROWS, 0:COLUMNS]
    values = np.stack([(rows * (1 + place) + columns) / (ROWS * (1 + place) + COLUMNS - 2) for place in range(count)], axis=-1)
    values = np.rint(np.clip(values, 0, 1) * ((1 << bits) - 1)).astype(np.int64) - ((1 << (bits - 1)) if signed else 0)
    return values[..., 0] if count == 1 else values


def codestream(values: np.ndarray, bits: int, signed: bool, options: tuple[str, ...], folder: Path) -> bytes:
    width = 1 if bits <= 8 else 2
    planes = values[..., None] if values.ndim == 2 else values
    # A rawl file of OpenJPEG holds its samples least significant byte first, plane by plane.
    content = planes.transpose(2, 0, 1).astype(f"<{'i' if signed else 'u'}{width}").tobytes()
    (folder / "in.rawl").write_bytes(content)
    told = f"{COLUMNS},{ROWS},{planes.shape[2]},{bits},{'s' if signed else 'u'}"
    done = subprocess.run(
        ["opj_compress", "-i", "in.rawl", "-o", "out.j2k", "-F", told, *options], cwd=folder, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return (folder / "out.j2k").read_bytes()


def decompressed(folder: Path, bits: int, signed: bool, count: int) -> np.ndarray:
    """What opj_decompress gives: int64 (ROWS, COLUMNS[, count])."""
    done = subprocess.run(["opj_decompress", "-i", "out.j2k", "-o", "out.rawl"], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    dtype = f"<{'i' if signed else 'u'}{1 if bits <= 8 else 2}"
    # Signed samples come out as their lowest `bits` bits.
    planes = np.frombuffer((folder / "out.rawl").read_bytes(), dtype).astype(np.int64).reshape(count, ROWS, COLUMNS)
    sign = 1 << (bits - 1)
    planes = ((planes & ((1 << bits) - 1)) ^ sign) - sign if signed else planes
    return planes[0] if count == 1 else planes.transpose(1, 2, 0)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [8, 10, 12, 15, 16])
@pytest.mark.parametrize("options", [(), ("-I", "-r", "4"), ("-I", "-r", "20", "-n", "3", "-t", "32,32")])
def test_gray_is_what_openjpeg_gives(tmp_path: Path, bits: int, signed: bool, options: tuple[str, ...]) -> None:
    stream = codestream(samples(bits, signed), bits, signed, options, tmp_path)
    reference = decompressed(tmp_path, bits, signed, 1)
    low = -(1 << (bits - 1)) if signed else 0
    pixels = np.zeros((ROWS, COLUMNS), np.uint8 if bits == 8 else np.uint16)
    centre, width = low + (1 << (bits - 1)), 1 << bits
    data = dicom_bytes(
        pixels, syntax=LOSSY if options else LOSSLESS, frames=[stream], BitsStored=bits, PixelRepresentation=int(signed),
        WindowCenter=centre, WindowWidth=width,
    )  # fmt: skip
    expected = np.clip(((reference - (centre - 0.5)) / (width - 1) + 0.5) * 255, 0, 255)
    assert np.abs(decode_scan(data, "x.dcm").gray - expected).max() <= 0.5 + 1e-3
    assert np.ptp(expected) > 200


@pytest.mark.parametrize(("photometric", "options"), [("YBR_RCT", ()), ("YBR_ICT", ("-I", "-r", "2")), ("RGB", ("-mct", "0"))])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_colour_is_what_openjpeg_gives(tmp_path: Path, photometric: str, options: tuple[str, ...], bits: int) -> None:
    stream = codestream(samples(bits, False, 3), bits, False, options, tmp_path)
    reference = decompressed(tmp_path, bits, False, 3)
    pixels = np.zeros((ROWS, COLUMNS), np.uint8 if bits == 8 else np.uint16)
    data = dicom_bytes(
        pixels, syntax=LOSSLESS if options == () else LOSSY, frames=[stream], BitsStored=bits, SamplesPerPixel=3,
        PhotometricInterpretation=photometric, PlanarConfiguration=0,
    )  # fmt: skip
    colour = decode_scan(data, "x.dcm").colour
    assert np.abs(colour - reference * (255 / ((1 << bits) - 1))).max() <= 0.5 + 1e-3


def test_a_stream_of_another_size_or_depth_than_the_header_says(tmp_path: Path) -> None:
    stream = codestream(samples(12, False), 12, False, (), tmp_path)
    pixels = np.zeros((ROWS, COLUMNS + 8), np.uint16)
    with pytest.raises(Exception, match="the header says 64x40"):
        decode_scan(dicom_bytes(pixels, syntax=LOSSLESS, frames=[stream], BitsStored=12), "x.dcm")
