"""CT is Hounsfield units or it is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.data.phantom.patient import make_patient
from pipeline.data.reading.dicom_chain.ct_values import lung_window, not_hounsfield
from pipeline.data.reading.scan_reader import decode_scan, read_scan
from pipeline.engine.errors import DataError
from tests.data.dicom_objects import dicom_bytes, lut_item, thorax_hounsfield

REAL = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "dicom" / "ct"
HU = thorax_hounsfield()
STORED = (HU + 1024).astype(np.uint16)
RESCALE = {"RescaleSlope": 1, "RescaleIntercept": -1024}


def ct(stored: np.ndarray = STORED, **elements: object) -> bytes:
    return dicom_bytes(stored, "CT", **{"BitsStored": 8 * stored.dtype.itemsize, **RESCALE, **elements})


def test_hounsfield_units_go_through_the_lung_window() -> None:
    scan = decode_scan(ct(WindowCenter=40, WindowWidth=400), "ct.dcm")
    np.testing.assert_array_equal(scan.gray, lung_window(HU))
    assert scan.header.modality == "ct" and scan.header.hounsfield and scan.warnings == ()


@pytest.mark.parametrize(
    ("elements", "finding"),
    [
        ({"RescaleSlope": None, "RescaleIntercept": None}, "RescaleSlope and RescaleIntercept are missing"),
        ({"RescaleSlope": ("LO", ""), "RescaleIntercept": ("LO", "")}, "are missing"),
        ({"RescaleSlope": None}, "RescaleSlope is missing"),
        ({"RescaleIntercept": None}, "RescaleIntercept is missing"),
        ({"RescaleSlope": 0}, "RescaleSlope is 0"),
        ({"RescaleIntercept": 0}, "no value is negative"),
        ({"RescaleIntercept": -2048}, "no body"),
        ({"RescaleIntercept": -512}, "no air"),
        ({"RescaleSlope": 2}, "lies around 1104 HU"),
        ({"RescaleType": "Z_EFF"}, "RescaleType is 'Z_EFF'"),
    ],
)
def test_what_is_not_hounsfield_is_refused(elements: dict[str, object], finding: str) -> None:
    with pytest.raises(DataError, match=finding) as caught:
        decode_scan(ct(**elements), "ct.dcm")
    assert "ct.dcm: CT without Hounsfield units" in caught.value.message and caught.value.remedy


def test_a_modality_table_of_hounsfield_units_shows_negative_values_or_is_refused() -> None:
    # LUT entries are unsigned (PS3.3 C.11.1.1): a table alone never gives the -1000 HU of air.
    entries = np.clip(np.arange(4096) - 1024, 0, None).astype("<u2").tobytes()
    data = ct(RescaleSlope=None, RescaleIntercept=None, ModalityLUTSequence=[lut_item((4096, 0, 16), entries)])
    with pytest.raises(DataError, match="no value is negative"):
        decode_scan(data, "ct.dcm")


def test_fill_outside_the_field_of_view_does_not_count() -> None:
    stored = HU.astype(np.int16)
    stored[:8] = -3024
    scan = decode_scan(ct(stored, RescaleIntercept=0, PixelRepresentation=1), "ct.dcm")
    assert scan.gray[:8].max() == 0
    np.testing.assert_array_equal(scan.gray[8:], lung_window(HU[8:]))


@pytest.mark.parametrize("word", ["LOCALIZER", "SCOUT", "localizer", "CT_SOM5 TOPOGRAM"])
def test_localizers_are_refused(word: str) -> None:
    with pytest.raises(DataError, match=r"ct\.dcm: a localizer"):
        decode_scan(ct(ImageType=["ORIGINAL", "PRIMARY", word]), "ct.dcm")


def test_derived_and_not_axial_slices_are_warned_of() -> None:
    scan = decode_scan(ct(ImageType=["DERIVED", "SECONDARY", "MPR"], ImageOrientationPatient=[1, 0, 0, 0, 0, -1]), "ct.dcm")
    assert [said.name for said in scan.assumptions if said.changes_answer] == ["derived", "plane"]
    np.testing.assert_array_equal(scan.gray, lung_window(HU))


@pytest.mark.parametrize("elements", [{}, RESCALE, {"RescaleSlope": 1, "RescaleIntercept": 0}, {"RescaleIntercept": -1024}])
@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
def test_a_windowed_capture_of_8_bits_is_taken_as_gray_and_said(elements: dict[str, object], photometric: str) -> None:
    capture = lung_window(HU)
    stored = 255 - capture if photometric == "MONOCHROME1" else capture
    told = {"WindowCenter": -600, "WindowWidth": 1500, "PhotometricInterpretation": photometric, **elements}
    scan = decode_scan(dicom_bytes(stored, "CT", **told), "ct.dcm")
    np.testing.assert_array_equal(scan.gray, capture)
    assert "capture" in [said.name for said in scan.assumptions if said.changes_answer]
    assert not scan.header.hounsfield


def test_a_capture_in_colour_is_taken_as_gray_and_said() -> None:
    colour = np.stack([lung_window(HU)] * 3, axis=-1)
    told = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    scan = decode_scan(dicom_bytes(colour, "CT", **told), "c.dcm")
    np.testing.assert_array_equal(scan.gray, lung_window(HU))
    assert "capture" in [said.name for said in scan.assumptions if said.changes_answer]


def test_8_bits_that_are_hounsfield_units_by_their_rescale_are_taken_so() -> None:
    coarse = np.rint((HU + 1024) / 8).astype(np.uint8)
    scan = decode_scan(ct(coarse, RescaleSlope=8), "ct.dcm")
    assert scan.header.hounsfield and np.abs(scan.gray.astype(int) - lung_window(HU)).max() <= 2


def test_the_phantoms_slices_are_hounsfield_units() -> None:
    for seed in range(2):
        for condition in ("normal", "covid", "bacterial", "viral"):
            hounsfield = make_patient(seed, condition, size=96).ct_hu
            scan = decode_scan(ct((hounsfield + 1024).astype(np.uint16)), "ct.dcm")
            np.testing.assert_array_equal(scan.gray, lung_window(hounsfield))


@pytest.mark.realdata
def test_real_slices_are_read_and_no_wrong_scale_of_them_is() -> None:
    from pipeline.data.reading.volume_reader import read_volume

    slices = 0
    for folder in sorted(REAL.iterdir()):
        volume = read_volume(folder)
        for number in range(volume.count):
            values = volume.stack.hounsfield(number)
            slices += 1
            assert not_hounsfield(values) is None
            stored = values + 1024
            wrong = [stored, stored - 2048, 2 * stored - 1024, stored / 2 - 1024, 10 * stored - 1024, stored - 512, -values]
            assert all(not_hounsfield(one) for one in wrong)
    assert slices == 24


@pytest.mark.realdata
def test_real_slices_tell_what_they_are() -> None:
    scan = read_scan(sorted((REAL / "P001").glob("*.dcm"))[0])
    assert scan.header.image_type[:3] == ("ORIGINAL", "PRIMARY", "AXIAL") and not scan.header.localizer
    assert scan.header.hounsfield and scan.header.frames == 1 and scan.header.position_mm is not None
