"""Whose each of some images is, as far as tables beside them, their names or their headers tell."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.data.layouts.kermany_names import read_kermany_name
from pipeline.data.layouts.patient_table import read_patient_table
from pipeline.data.reading.dicom_chain.header_facts import read_header_facts

# What an id off a header begins with: it stands for the patient and does not name one.
FROM_HEADER, DIGITS = "dicom-", 12


def image_patients(images: Sequence[Path], folders: Sequence[Path]) -> Mapping[str, str]:
    """{path as given: patient} of every image, "" where nothing tells.

    A table (`read_patient_table`) in a folder that was given, or in the image's own, goes before Kermany's names, these before a
    DICOM header's PatientID, of which a digest is kept. Raises DataError: a table that contradicts itself.
    """
    found = {str(image): "" for image in images}
    for root in dict.fromkeys([*(folder for folder in folders if folder.is_dir()), *(image.parent for image in images)]):
        below = {str(image.relative_to(root)): str(image) for image in images if image.is_relative_to(root)}
        for name, told in read_patient_table(root).match(list(below)).items():
            found[below[name]] = found[below[name]] or told.patient_id
    for image in images:
        if not found[str(image)]:
            named = read_kermany_name(image.stem)
            found[str(image)] = named.person if named is not None else _of_header(image)
    return found


def _of_header(image: Path) -> str:
    facts = read_header_facts(image)  # a broken file fails by name when it is read
    told = facts.patient_id if facts is not None else ""
    return FROM_HEADER + hashlib.sha256(told.encode()).hexdigest()[:DIGITS] if told else ""
