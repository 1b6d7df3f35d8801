"""What a DICOM file's header tells while its pixels stay unread: whose it is, and by which kind of machine it was made."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pipeline.data.patient_ids import known_patient
from pipeline.data.reading.dicom_chain.dicom_object import XRAY_MODALITIES, parsed_stream, text_of
from pipeline.data.reading.scan_reader import is_dicom
from pipeline.data.scans import CT, XRAY
from pipeline.engine.errors import DataError

_HEAD_BYTES = 132


class HeaderFacts(NamedTuple):
    """patient_id: "" where the header names none. modality: "xray", "ct", or "" where it is neither."""

    patient_id: str = ""
    modality: str = ""


def read_header_facts(path: Path) -> HeaderFacts | None:
    """What a DICOM file tells; None for any other file, and for one that cannot be read: reading its pixels says why."""
    try:
        with path.open("rb") as stream:
            if not is_dicom(stream.read(_HEAD_BYTES), path.name):
                return None
            header = parsed_stream(stream, str(path))
        made_by = text_of(header, "Modality", str(path)).upper()
        patient = known_patient(text_of(header, "PatientID", str(path)))
    except (OSError, DataError):
        return None
    return HeaderFacts(patient, XRAY if made_by in XRAY_MODALITIES else CT if made_by == "CT" else "")
