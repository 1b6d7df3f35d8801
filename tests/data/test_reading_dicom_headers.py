"""Odd values in a DICOM header: read right by a stated rule, and said, or refused by name."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pydicom
import pytest

from pipeline.data.reading.scan_reader import decode_scan, read_scan
from pipeline.engine.errors import DataError
from tests.data.dicom_objects import dicom_bytes, palette

ROWS, COLUMNS = 32, 64
WINDOW = {"WindowCenter": 2048, "WindowWidth": 4096}
DOUBLED = {"WindowCenter": 3072, "WindowWidth": 8191}
DEEP = np.rint(np.linspace(0, 4095, ROWS * COLUMNS)).reshape(ROWS, COLUMNS).astype(np.uint16)
GRAY = np.rint(DEEP * (255 / 4095)).astype(np.uint8)


def base(**elements: object) -> bytes:
    return dicom_bytes(DEEP, **{"BitsStored": 12, **WINDOW, **elements})


PLAIN = decode_scan(base(), "plain.dcm").gray
STRETCHED = decode_scan(base(WindowCenter=None, WindowWidth=None), "plain.dcm").gray


def said(data: bytes) -> list[str]:
    return [one.name for one in decode_scan(data, "x.dcm").assumptions]


def test_the_plain_object_is_read_with_nothing_to_warn_of() -> None:
    scan = decode_scan(base(), "x.dcm")
    np.testing.assert_array_equal(scan.gray, GRAY)
    assert scan.warnings == () and scan.header.modality == "xray" and scan.header.bits_stored == 12
    assert "centre 2048, width 4096" in scan.assumptions[0].sentence


@pytest.mark.parametrize(
    ("elements", "expected", "name"),
    [
        ({"WindowCenter": ("LO", "2048,0"), "WindowWidth": ("LO", "4096,0")}, PLAIN, "number"),
        ({"WindowCenter": ("LO", " 2048 \0"), "WindowWidth": ("LO", "4.096E3")}, PLAIN, "window"),
        ({"RescaleSlope": ("LO", "1,0"), "RescaleIntercept": ("LO", "0,0")}, PLAIN, "number"),
        ({"RescaleSlope": ("LO", "2,0"), "RescaleIntercept": ("LO", "-1024,0"), **DOUBLED}, PLAIN, "number"),
        ({"WindowWidth": 0}, STRETCHED, "window"),
        ({"WindowWidth": 0.5}, STRETCHED, "window"),
        ({"WindowWidth": -100}, STRETCHED, "window"),
        ({"WindowWidth": 0, "VOILUTFunction": "LINEAR_EXACT"}, STRETCHED, "window"),
        ({"WindowWidth": ("LO", "abc")}, STRETCHED, "window"),
        ({"WindowCenter": ("LO", "nan")}, STRETCHED, "window"),
        ({"WindowCenter": ("LO", "1e999")}, STRETCHED, "window"),
        ({"WindowCenter": ("LO", "")}, STRETCHED, "window"),
        ({"WindowCenter": None}, STRETCHED, "window"),
        ({"WindowCenter": 1e9, "WindowWidth": 2}, STRETCHED, "window"),
        ({"WindowCenter": [2048, 100], "WindowWidth": [4096, 20]}, PLAIN, "window"),
        ({"WindowCenter": [100, 2048], "WindowWidth": [0, 4096]}, PLAIN, "window"),
        ({"WindowCenter": [2048, 100], "WindowWidth": 4096}, PLAIN, "window"),
        ({"VOILUTFunction": "FOO"}, PLAIN, "window"),
        ({"RescaleSlope": ("LO", ""), "RescaleIntercept": ("LO", "")}, PLAIN, "window"),
        ({"RescaleIntercept": -1024}, PLAIN, "rescale"),
        ({"RescaleSlope": 2}, PLAIN, "rescale"),
        ({"RescaleSlope": 0, "RescaleIntercept": 5}, PLAIN, "rescale"),
        ({"PhotometricInterpretation": None}, PLAIN, "polarity"),
        ({"PhotometricInterpretation": "monochrome2"}, PLAIN, "window"),
        ({"SamplesPerPixel": None, "PlanarConfiguration": 0}, PLAIN, "window"),
        ({"PixelRepresentation": None}, PLAIN, "window"),
        ({"HighBit": None}, PLAIN, "window"),
        ({"HighBit": 40}, PLAIN, "bits"),
        ({"HighBit": 3}, PLAIN, "bits"),
        ({"NumberOfFrames": ("LO", "1")}, PLAIN, "window"),
        ({"NumberOfFrames": ("LO", "0")}, PLAIN, "window"),
        ({"NumberOfFrames": ("LO", "")}, PLAIN, "window"),
        ({"Modality": None}, PLAIN, "window"),
        ({"PixelPaddingValue": 5000}, PLAIN, "window"),
    ],
)  # fmt: skip
def test_odd_values_are_read_by_a_rule(elements: dict[str, object], expected: np.ndarray, name: str) -> None:
    scan = decode_scan(base(**elements), "x.dcm")
    assert np.abs(scan.gray.astype(int) - expected).max() <= (1 if expected is PLAIN else 0)
    assert name in [one.name for one in scan.assumptions]


@pytest.mark.parametrize(
    "elements",
    [{"WindowWidth": 0}, {"WindowWidth": ("LO", "4096,0")}, {"RescaleIntercept": -1024}, {"PhotometricInterpretation": None}],
)
def test_what_could_change_the_answer_is_among_the_warnings(elements: dict[str, object]) -> None:
    assert decode_scan(base(**elements), "x.dcm").warnings


@pytest.mark.parametrize(
    ("elements", "finding"),
    [
        ({"Rows": None}, "64xNone pixels"),
        ({"Columns": 0}, "0x32 pixels"),
        ({"Rows": 33}, "truncated"),
        ({"Columns": 63}, "pixel data have 4096 bytes"),
        ({"Rows": 31}, "pixel data have 4096 bytes"),
        ({"Columns": 60000, "Rows": 60000}, "60000x60000 pixels"),
        ({"BitsAllocated": None}, "BitsAllocated is None"),
        ({"BitsAllocated": 12}, "BitsAllocated is 12"),
        ({"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}, "2 frames"),
        ({"PixelRepresentation": 3}, "PixelRepresentation is 3"),
        ({"SamplesPerPixel": 3}, r"MONOCHROME2 with 3 sample"),
        ({"SamplesPerPixel": 2, "PhotometricInterpretation": "RGB"}, r"RGB with 2 sample"),
        ({"PhotometricInterpretation": "HSV"}, "'HSV'"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "no RedPaletteColor"),
        ({"RescaleSlope": ("LO", "abc"), "RescaleIntercept": 1}, "RescaleSlope is 'abc'"),
        ({"NumberOfFrames": ("LO", "2")}, "truncated"),
        ({"NumberOfFrames": ("LO", "-1")}, "NumberOfFrames is -1"),
        ({"NumberOfFrames": ("LO", "1.5")}, "NumberOfFrames is 1.5"),
        ({"Modality": "SR"}, "'SR'"), ({"Modality": "RTDOSE"}, "'RTDOSE'"), ({"Modality": "US"}, "'US'"),
        ({"PhotometricInterpretation": "YBR_FULL_422", "SamplesPerPixel": 3, "Columns": 21}, "odd number of columns"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_refused_by_name(elements: dict[str, object], finding: str) -> None:
    with pytest.raises(DataError, match=finding) as caught:
        decode_scan(base(**elements), "odd.dcm")
    assert "odd.dcm" in caught.value.message and caught.value.remedy


def test_bytes_of_two_frames_without_their_number_are_two_frames() -> None:
    data = dicom_bytes(np.concatenate([DEEP, DEEP]), Rows=ROWS, BitsStored=12, **WINDOW)
    with pytest.raises(DataError, match=r"x\.dcm.*2 frames"):
        decode_scan(data, "x.dcm")


def test_a_few_bytes_too_many_do_no_harm_and_a_row_does() -> None:
    padded = np.concatenate([DEEP.ravel(), np.zeros(5, np.uint16)])
    told = {"Rows": ROWS, "Columns": COLUMNS, "BitsStored": 12, **WINDOW}
    np.testing.assert_array_equal(decode_scan(dicom_bytes(padded.reshape(1, -1), **told), "x.dcm").gray, PLAIN)
    longer = np.concatenate([DEEP.ravel(), np.zeros(COLUMNS, np.uint16)])
    with pytest.raises(DataError, match="bytes, 4096 expected"):
        decode_scan(dicom_bytes(longer.reshape(1, -1), **told), "x.dcm")


@pytest.mark.parametrize("order", ["permuted", "inverse"])
@pytest.mark.parametrize("window", [False, True])
def test_a_palette_in_any_order_shows_the_picture(order: str, window: bool) -> None:
    levels = np.random.default_rng(2).permutation(256) if order == "permuted" else 255 - np.arange(256)
    index = np.argsort(levels)[GRAY].astype(np.uint8)
    told = palette(np.stack([levels] * 3, axis=1) * 257, 16) | (WINDOW if window else {})
    np.testing.assert_array_equal(decode_scan(dicom_bytes(index, **told), "x.dcm").gray, GRAY)


def test_values_at_the_top_of_their_words() -> None:
    data = dicom_bytes((DEEP << 4).astype(np.uint16), BitsStored=12, HighBit=15, **WINDOW)
    np.testing.assert_array_equal(decode_scan(data, "x.dcm").gray, PLAIN)


def test_an_object_without_transfer_syntax_is_read_by_its_bytes() -> None:
    for implicit in (False, True):
        dataset = pydicom.dcmread(pydicom.filebase.BytesIO(base()))
        stream = pydicom.filebase.BytesIO()
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.save_as(stream, implicit_vr=implicit, little_endian=True, enforce_file_format=False)
        data = stream.getvalue()
        data = data if data[128:132] == b"DICM" else b"\0" * 128 + b"DICM" + data
        np.testing.assert_array_equal(decode_scan(data, "x.dcm").gray, PLAIN)
        assert "encoding" in said(data)


def test_a_compressed_syntax_over_native_pixels_is_refused() -> None:
    with pytest.raises(DataError, match="transfer syntax is a compressed one"):
        decode_scan(base().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0"), "x.dcm")


def test_no_picture_no_answer(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(pydicom.filebase.BytesIO(base()))
    del dataset.PixelData
    dataset.save_as(tmp_path / "none.dcm")
    with pytest.raises(DataError, match=r"none\.dcm.*without pixel data"):
        read_scan(tmp_path / "none.dcm")
    dataset.FloatPixelData = np.zeros(ROWS * COLUMNS, np.float32).tobytes()
    dataset.save_as(tmp_path / "float.dcm")
    with pytest.raises(DataError, match="floating-point"):
        read_scan(tmp_path / "float.dcm")


def test_a_deflated_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    data = base(syntax="1.2.840.10008.1.2.1.99")
    np.testing.assert_array_equal(decode_scan(data, "x.dcm").gray, PLAIN)
    monkeypatch.setattr("pipeline.data.reading.dicom_chain.file_bytes._MAXIMUM_BYTES", 1000)
    with pytest.raises(DataError, match="deflated to more than"):
        decode_scan(data, "bomb.dcm")


def test_a_length_beyond_the_end_is_held_against_the_pixels() -> None:
    data = bytearray(base())
    place = data.index(struct.pack("<HH", 0x7FE0, 0x0010))
    data[place + 8 : place + 12] = struct.pack("<I", 0x7FFFFFFE)
    np.testing.assert_array_equal(decode_scan(bytes(data), "long.dcm").gray, PLAIN)
    with pytest.raises(DataError, match=r"long\.dcm.*truncated"):
        decode_scan(bytes(data[:-2]), "long.dcm")
