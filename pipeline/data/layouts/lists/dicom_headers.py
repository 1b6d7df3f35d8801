"""Scans whose patient and modality are told by their DICOM headers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.data.reading.dicom_chain.header_facts import HeaderFacts, read_header_facts
from pipeline.data.scans import Scan, Warn
from pipeline.engine.errors import DataError

FactsOf = Callable[[Path], HeaderFacts | None]


def told_by_headers(scans: Sequence[Scan], warn: Warn, facts_of: FactsOf = read_header_facts) -> list[Scan]:
    """The scans with the patient and the modality that their headers tell, where nothing else has told them.

    warn: told how many have no patient there. facts_of: what the header of a file tells, where it has been read already.

    Raises DataError where a header contradicts the modality that is told.
    """
    found = [(scan, facts_of(scan.path) or HeaderFacts()) for scan in scans]
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
