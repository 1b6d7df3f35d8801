"""What headers of DICOM files tell: read without the pixels, for deflated files too, and None where nothing can be told."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from pipeline.data.reading.dicom_chain.header_facts import HeaderFacts, read_header_facts
from tests.data.test_reading_bounds import dicom


def tagged(syntax: str = ExplicitVRLittleEndian, **elements) -> bytes:
    """The object of the bounds' tests with elements changed."""
    from io import BytesIO

    import pydicom

    held = pydicom.dcmread(BytesIO(dicom(syntax)))
    for keyword, value in elements.items():
        setattr(held, keyword, value)
    stream = BytesIO()
    held.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
@pytest.mark.parametrize(("elements", "told"), [
    ({"PatientID": "p-07 ", "Modality": "CT"}, HeaderFacts("p-07", "ct")),
    ({"PatientID": "Ä1", "SpecificCharacterSet": "ISO_IR 192", "Modality": "DX"}, HeaderFacts("Ä1", "xray")),
    ({"PatientID": "anonymous", "Modality": "MR"}, HeaderFacts("", "")),
    ({"Modality": "CR"}, HeaderFacts("", "xray")),
])  # fmt: skip
def test_patient_and_machine_are_told(tmp_path, syntax, elements, told):
    path = tmp_path / "scan.dcm"
    path.write_bytes(tagged(syntax, **elements))
    assert read_header_facts(path) == told


def test_pixels_need_not_be_there(tmp_path):
    whole = tagged(PatientID="p1")
    (tmp_path / "cut.dcm").write_bytes(whole[: whole.rindex(b"\xe0\x7f\x10\x00")])
    assert read_header_facts(tmp_path / "cut.dcm") == HeaderFacts("p1", "xray")


@pytest.mark.parametrize("content", [b"", b"P5 1 1 255 x", b"\x89PNG\r\n\x1a\n" + bytes(200)])
def test_another_file_tells_nothing(tmp_path, content):
    (tmp_path / "scan.dcm").write_bytes(content)
    assert read_header_facts(tmp_path / "scan.dcm") is None
    assert read_header_facts(tmp_path / "absent.dcm") is None


def test_a_broken_header_tells_something_or_nothing_and_never_fails(tmp_path):
    rng, path = np.random.default_rng(0), tmp_path / "scan.dcm"
    for syntax in (ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian):
        whole = np.frombuffer(tagged(syntax, PatientID="p1"), np.uint8)
        for _ in range(300):
            broken = whole.copy()
            places = rng.integers(132, min(len(whole), 600), rng.integers(1, 9))
            broken[places] = rng.integers(0, 256, len(places))
            path.write_bytes(broken.tobytes()[: rng.integers(140, len(whole) + 1)])
            told = read_header_facts(path)
            assert told is None or isinstance(told, HeaderFacts)
