"""What the headers of DICOM scans tell of them: whose they are, and by which machine they were made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pipeline.data.patient_ids import known_patient
from pipeline.data.reading.dicom_chain.dicom_object import XRAY_MODALITIES
from pipeline.data.reading.scan_reader import is_dicom
from pipeline.data.scans import CT, XRAY, Scan, Warn
from pipeline.engine.errors import DataError

_HEAD_BYTES = 132
_TAGS = ["PatientID", "Modality"]


class ToldByHeader(NamedTuple):
    """patient_id: "" where the header names none. modality: "xray", "ct", or "" where it is neither."""

    patient_id: str = ""
    modality: str = ""


def read_header(path: Path) -> ToldByHeader | None:
    """What a DICOM file tells; None for any other file, and for one that cannot be read."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        with path.open("rb") as stream:
            if not is_dicom(stream.read(_HEAD_BYTES), path.name):
                return None
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS, force=True)
        made_by = str(header.get("Modality") or "").strip().upper()
        patient = known_patient(str(header.get("PatientID") or ""))
    except (OSError, InvalidDicomError, ValueError, TypeError, AttributeError, KeyError, NotImplementedError):
        return None
    return ToldByHeader(patient, XRAY if made_by in XRAY_MODALITIES else CT if made_by == "CT" else "")


def told_by_headers(scans: Sequence[Scan], warn: Warn) -> list[Scan]:
    """The scans with the patient and the modality that their headers tell, where nothing else has told them.

    warn: told how many have no patient there. Raises DataError where a header contradicts the modality that is told.
    """
    found = [(scan, read_header(scan.path) or ToldByHeader()) for scan in scans]
    for scan, header in found:
        if scan.modality and header.modality and scan.modality != header.modality:
            raise DataError(f"{scan.id}: its header says {header.modality}, and it is given as {scan.modality}.",
                            "Mend s01.data.modality, the folder or the list.")  # fmt: skip
    told = [
        replace(scan, patient_id=scan.patient_id or header.patient_id, modality=scan.modality or header.modality)
        for scan, header in found
    ]
    unknown = sum(not scan.patient_id for scan in told)
    if unknown:
        warn(f"{unknown} of {len(told)} scans have no patient id, in no DICOM header either; each counts as a patient.")
    return told
