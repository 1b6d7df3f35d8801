"""Broken DICOM files, seeded: bits flipped, cut, lengths changed; each is read or refused by name, soon."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import gdcm
import nibabel
import numpy as np
import pytest
from PIL import Image

from pipeline.data.reading.scan_reader import decode_scan
from pipeline.data.reading.volume_reader import read_volume
from pipeline.engine.errors import DataError
from tests.data.dicom_objects import dicom_bytes, palette, table_bytes, thorax_hounsfield
from tests.data.mutations import hold_against, mutated

SIDE = 48
JPEG, JPEG_2000, RLE, DEFLATED = (f"1.2.840.10008.1.2.{part}" for part in ("4.50", "4.90", "5", "1.99"))


def picture(bits: int) -> np.ndarray:
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    values = (rows + columns + 6 * np.sin(rows / 3)) / (2 * SIDE + 10)
    return np.rint(np.clip(values, 0, 1) * ((1 << bits) - 1)).astype(np.uint8 if bits <= 8 else np.uint16)


def whole_files(folder: Path) -> dict[str, bytes]:
    """One good file of each kind: native, deflated, six codecs, palette, CT, tables, several frames."""
    gray8, gray12 = picture(8), picture(12)
    window = {"WindowCenter": 2048, "WindowWidth": 4096, "BitsStored": 12}
    plain = dicom_bytes(gray12, **window)
    chest = (thorax_hounsfield(SIDE) + 1024).astype(np.int16)
    table = ((4096, 0, 12), table_bytes(np.arange(4096)[::-1]))
    return {
        "native": plain,
        "deflated": dicom_bytes(gray12, syntax=DEFLATED, **window),
        "jpeg": dicom_bytes(gray8, syntax=JPEG, frames=[jpeg(gray8)]),
        "jpeg 2000": dicom_bytes(gray12, syntax=JPEG_2000, frames=[jpeg_2000(gray12)], **window),
        "jpeg lossless": compressed(plain, gdcm.TransferSyntax.JPEGLosslessProcess14_1, folder),
        "jpeg-ls": compressed(plain, gdcm.TransferSyntax.JPEGLSLossless, folder),
        "rle": dicom_bytes(gray8, syntax=RLE, frames=[run_lengths(gray8)]),
        "palette": dicom_bytes(gray8, **palette(np.stack([np.arange(256) * 257] * 3, axis=1), 16)),
        "ct": dicom_bytes(chest, "CT", RescaleSlope=1, RescaleIntercept=-1024),
        "table": dicom_bytes(gray12, BitsStored=12, VOILUTSequence=table),
        "frames": dicom_bytes(np.concatenate([gray8, gray8]), NumberOfFrames=1),
    }


def compressed(data: bytes, syntax: int, folder: Path) -> bytes:
    """The same object by GDCM's encoder."""
    plain, path = folder / "plain.dcm", folder / "compressed.dcm"
    plain.write_bytes(data)
    reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    reader.SetFileName(str(plain))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return path.read_bytes()


def jpeg(pixels: np.ndarray) -> bytes:
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def jpeg_2000(pixels: np.ndarray) -> bytes:
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG2000", no_jp2=True)
    return stream.getvalue()


def run_lengths(pixels: np.ndarray) -> bytes:
    """One segment of literal runs (PS3.5 annex G)."""
    content = pixels.tobytes()
    runs = b"".join(bytes([len(part) - 1]) + part for part in (content[at : at + 128] for at in range(0, len(content), 128)))
    return np.array([1, 64, *[0] * 14], "<u4").tobytes() + runs + b"\0" * (len(runs) % 2)


def hold(count: int, seed: int, folder: Path) -> None:
    files = {f"{name}.dcm": data for name, data in whole_files(folder).items()}
    answered, refused = hold_against(files, count, seed)
    assert answered > count // 20 and refused > count // 4


def test_the_whole_files_are_read(tmp_path: Path) -> None:
    for name, data in whole_files(tmp_path).items():
        assert decode_scan(data, f"{name}.dcm").gray.max() > 200


@pytest.mark.parametrize(("kind", "frame_start"), [("jpeg lossless", b"\xff\xc3"), ("jpeg-ls", b"\xff\xf7")])
@pytest.mark.parametrize(("offset", "byte"), [(4, 17), (4, 214), (4, 1), (13, 0xDF)])
def test_streams_over_which_the_decoder_ends_the_process_never_reach_it(
    tmp_path: Path, kind: str, frame_start: bytes, offset: int, byte: int
) -> None:
    data = bytearray(whole_files(tmp_path)[kind])
    # The precision of the frame, and the marker of the segment behind its header.
    data[data.index(frame_start) + offset] = byte
    with pytest.raises(DataError, match=rf"{kind}\.dcm"):
        decode_scan(bytes(data), f"{kind}.dcm")


@pytest.mark.filterwarnings("ignore")
def test_mutated_files_are_read_or_refused(tmp_path: Path) -> None:
    hold(180, seed=1, folder=tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_two_thousand_mutated_files_are_read_or_refused(tmp_path: Path) -> None:
    hold(2000, seed=2, folder=tmp_path)


@pytest.mark.filterwarnings("ignore")
def test_mutated_nifti_files_are_read_or_refused(tmp_path: Path) -> None:
    volume = np.stack([thorax_hounsfield(SIDE)] * 3, axis=-1)
    rng, refused = np.random.default_rng(4), 0
    for suffix in (".nii", ".nii.gz"):
        whole = tmp_path / f"whole{suffix}"
        nibabel.save(nibabel.Nifti1Image(volume, np.diag([-1, -1, 5, 1])), whole)
        assert read_volume(whole).count == 3
        data = whole.read_bytes()
        for number in range(100):
            path = tmp_path / f"{number}{suffix}"
            path.write_bytes(mutated(data, rng, prefix=0))
            try:
                assert read_volume(path).slice(1).gray.dtype == np.uint8
            except DataError as error:
                refused += 1
                assert path.name in str(error) and error.remedy
    assert 50 < refused < 200
