import cv2
import numpy as np
import pytest

from pipeline.data.layouts.class_folders import read_class_folders
from pipeline.engine.errors import DataError


def picture(path, level=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((20, 20), level, np.uint8))


def test_splits_are_read_however_they_are_spelt(tmp_path):
    for split in ("train", "val", "test"):
        for label in ("a", "b"):
            picture(tmp_path / split / label / f"{split}.png")
    picture(tmp_path / "masks" / "train" / "a" / "train.png")
    said = []
    scans = read_class_folders(tmp_path, said.append)
    assert [(scan.split, scan.label) for scan in scans] == [
        ("test", "a"), ("test", "b"), ("train", "a"), ("train", "b"), ("valid", "a"), ("valid", "b"),
    ]  # fmt: skip
    assert {scan.id for scan in scans if scan.mask} == {"train/a/train.png"}
    assert said == [f"{tmp_path}: 6 of 6 scans have no patient id; each counts as a patient."]


def test_without_splits_folders_are_classes_and_names_give_the_patients(tmp_path):
    picture(tmp_path / "VIRUS" / "person88_virus_163.jpeg")
    picture(tmp_path / "NORMAL" / "deeper" / "IM-0115-0001.jpeg")
    said = []
    scans = read_class_folders(tmp_path, said.append)
    assert [(scan.label, scan.patient_id, scan.split) for scan in scans] == [
        ("NORMAL", "IM-0115", ""), ("VIRUS", "person88", ""),
    ]  # fmt: skip
    assert len(said) == 1 and "the patients of 2 of 2 scans are read off Kermany's file names" in said[0]


def test_masks_beside_the_images_of_a_class_are_no_scans(tmp_path):
    for label in ("a", "b"):
        picture(tmp_path / label / "images" / "1.png")
        picture(tmp_path / label / "masks" / "1.png", 255)
    assert [scan.id for scan in read_class_folders(tmp_path, lambda text: None)] == ["a/images/1.png", "b/images/1.png"]


def test_a_table_tells_the_patients(tmp_path):
    for name in ("a/1.png", "b/2.png"):
        picture(tmp_path / name)
    (tmp_path / "patients.csv").write_text("image,patient_id,source\na/1.png,p1,x\nb/2.png,p2,y\n")
    assert [(s.patient_id, s.source) for s in read_class_folders(tmp_path)] == [("p1", "x"), ("p2", "y")]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "holds no class folder"),
        (["a/1.png"], "only the class 'a'"),
        (["train/a/1.png", "test/a/1.png"], "only the class 'a'"),
        (["a/1.png", "b/readme.txt"], "no scans in this class folder"),
        (["val/a/1.png", "valid/a/1.png", "train/a/1.png"], "are both valid"),
    ],
)
def test_what_cannot_be_classes_is_refused(tmp_path, names, said):
    for name in names:
        if name.endswith(".png"):
            picture(tmp_path / name)
        else:
            (tmp_path / name).parent.mkdir()
            (tmp_path / name).write_text("")
    with pytest.raises(DataError, match=said):
        read_class_folders(tmp_path, lambda text: None)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        read_class_folders(tmp_path / "absent")
