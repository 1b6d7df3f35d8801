"""`{class}/images` with `{class}/masks`: which scan gets which mask, and what is refused."""

from pathlib import Path

import pytest

from pipeline.data.layouts.class_mask_folders import read_class_mask_folders
from pipeline.engine.errors import DataError


@pytest.fixture
def said():
    return []


def lay(root: Path, *files: str) -> Path:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_masks_are_found_by_stem_whatever_their_suffix(tmp_path, said):
    lay(tmp_path, "COVID/images/a.png", "COVID/images/b.jpg", "COVID/images/c.JPEG", "COVID/images/notes.txt",
        "COVID/masks/a.png", "COVID/masks/b.png", "COVID/masks/c.jpg", "Normal/images/d.png", "Normal/images/.e.png")  # fmt: skip
    scans = read_class_mask_folders(tmp_path, said.append)
    assert [(scan.id, scan.label, scan.mask and scan.mask.name, scan.modality, scan.split) for scan in scans] == [
        ("COVID/images/a.png", "COVID", "a.png", "xray", ""),
        ("COVID/images/b.jpg", "COVID", "b.png", "xray", ""),
        ("COVID/images/c.JPEG", "COVID", "c.jpg", "xray", ""),
        ("Normal/images/d.png", "Normal", None, "xray", ""),
    ]
    assert said == [f"{tmp_path}: left out are files that are no scans: 1 (first: COVID/images/notes.txt); "
                    "hidden files: 1 (first: Normal/images/.e.png)."]  # fmt: skip


def test_a_mask_of_another_class_is_not_taken(tmp_path, said):
    lay(tmp_path, "a/images/1.png", "b/images/1.png", "b/masks/1.png")
    assert [scan.mask is not None for scan in read_class_mask_folders(tmp_path, said.append)] == [False, True]


def test_png_goes_before_jpg_where_two_masks_share_a_stem(tmp_path, said):
    lay(tmp_path, "a/images/1.png", "a/masks/1.jpg", "a/masks/1.png", "b/images/2.png")
    assert read_class_mask_folders(tmp_path, said.append)[0].mask.name == "1.png"


def test_masks_without_a_scan_are_warned_of(tmp_path, said):
    lay(tmp_path, "a/images/1.png", *(f"a/masks/{n}.png" for n in range(6)), "b/images/2.png", "docs/readme.md")
    read_class_mask_folders(tmp_path, said.append)
    assert said[0].endswith("left out, without images/: docs.")
    assert said[1].endswith("5 masks without a scan are passed over: 0, 2, 3 and 2 more.")


def test_patients_come_from_the_table(tmp_path, said):
    lay(tmp_path, "a/images/1.png", "b/images/2.png")
    (tmp_path / "patients.csv").write_text("image,patient_id,source\na/images/1.png,P7,site A\n")
    scans = read_class_mask_folders(tmp_path, said.append)
    assert [(scan.patient_id, scan.source) for scan in scans] == [("P7", "site A"), ("", "")]
    (tmp_path / "patients.csv").write_text("image,patient\na/images/1.png,P7\n")
    with pytest.raises(DataError, match="no column 'patient_id'. Did you mean 'patient'"):
        read_class_mask_folders(tmp_path, said.append)


@pytest.mark.parametrize(
    "files, classes, message",
    [
        (["COVID/images/1.png", "Normal/images/1.png"], ("COVID", "Norml"), "no class folder 'Norml'. Did you mean 'Normal'"),
        (["COVID/image/1.png", "Normal/images/1.png"], None, "no folder 'images'. Did you mean 'image'"),
        (["COVID/masks/1.png", "Normal/images/1.png"], None, "COVID: no folder 'images'"),
        (["COVID/1.png", "Normal/2.png"], None, "holds no class folder"),
        (["COVID/images/1.png"], None, "only the class 'COVID'"),
        (["COVID/images/1.txt", "Normal/images/1.png"], None, "COVID/images: no scans"),
    ],
)
def test_refused(tmp_path, said, files, classes, message):
    with pytest.raises(DataError, match=message):
        read_class_mask_folders(lay(tmp_path, *files), said.append, classes)


def test_no_folder(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        read_class_mask_folders(tmp_path / "absent")
