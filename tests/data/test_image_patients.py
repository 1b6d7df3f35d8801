"""Whose an image is: by a table, by Kermany's names, by a DICOM header, or nobody knows."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.data.image_patients import FROM_HEADER, image_patients
from pipeline.engine.errors import DataError

sys.path.insert(0, str(Path(__file__).parent))  # dicom_objects lies beside this file
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)


def placed(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"\x89PNG\r\n\x1a\n")
    return [folder / name for name in names]


def test_a_table_in_the_folder_that_was_given_goes_before_names(tmp_path):
    images = placed(tmp_path, "A/person1_virus_1.png", "A/b.png", "c.png")
    (tmp_path / "patients.csv").write_text("image,patient_id\nA/person1_virus_1.png,p9\nA/b.png,unknown\n")
    found = image_patients(images, [tmp_path])
    assert list(found.values()) == ["p9", "", ""]
    (tmp_path / "A" / "patients.csv").write_text("image,patient_id\nb.png,p7\n")
    assert list(image_patients(images, [tmp_path]).values()) == ["p9", "p7", ""]


def test_kermanys_names(tmp_path):
    images = placed(tmp_path, "person88_virus_163.png", "person88_bacteria_1.png", "IM-0115-0001.png", "scan.png")
    assert list(image_patients(images, [tmp_path]).values()) == ["person88", "person88", "IM-0115", ""]


def test_a_header_tells_whose_it_is_and_its_id_is_not_shown(tmp_path):
    from dicom_objects import dicom_bytes

    images = [tmp_path / name for name in ("a.dcm", "b.dcm", "c.dcm", "broken.dcm")]
    for path, patient in zip(images, ("Doe^Jane", "Doe^Jane", "", "x"), strict=True):
        path.write_bytes(dicom_bytes(PIXELS, PatientID=patient) if path.stem != "broken" else b"DICM")
    first, second, nobody, broken = image_patients(images, [tmp_path]).values()
    assert first == second and first.startswith(FROM_HEADER) and "Doe" not in first and len(first) == len(FROM_HEADER) + 12
    assert nobody == broken == ""


def test_a_table_that_contradicts_itself_is_refused(tmp_path):
    images = placed(tmp_path, "a.png")
    (tmp_path / "patients.csv").write_text("image,patient_id\na.png,p1\na.png,p2\n")
    with pytest.raises(DataError, match="is of patient 'p1' and of patient 'p2'"):
        image_patients(images, [tmp_path])
