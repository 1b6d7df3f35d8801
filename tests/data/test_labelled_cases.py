"""Labelled cases from folders and tables, and what is refused of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.data.layouts.labelled_cases import read_labelled_cases
from pipeline.data.scans import MODALITIES
from pipeline.engine.errors import DataError, UsageError

CLASSES = ("Non_COVID", "COVID")
BINARY = ("NORMAL", "PNEUMONIA")


def read_labelled(data: Path, class_names: tuple[str, ...], modality: str | None = None, said: list[str] | None = None):
    """As a bundle of both modalities reads them."""
    tell = (said if said is not None else []).append
    return read_labelled_cases(data, class_names, tell, modalities=MODALITIES, modality=modality)


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def test_the_test_folders_are_read_and_train_is_not(tmp_path):
    root = touch(tmp_path, "X_Ray_Test/COVID/a.png", "X_Ray_Test/Non_COVID/sub/b.png", "X_Ray_Train/COVID/c.png",
                 "CT_Scan_Test/COVID/a.png", "CT_Scan_Test/Non_COVID/b.jpg")  # fmt: skip
    (root / "patients.csv").write_text("image,patient_id\nX_Ray_Test/COVID/a.png,p1\n")
    rows = {row.id: row for row in read_labelled(root, CLASSES)}
    assert set(rows) == {"X_Ray_Test/COVID/a.png", "X_Ray_Test/Non_COVID/sub/b.png", "CT_Scan_Test/COVID/a.png",
                         "CT_Scan_Test/Non_COVID/b.jpg"}  # fmt: skip
    assert rows["X_Ray_Test/COVID/a.png"].copied == {"label": "COVID", "patient_id": "p1"}
    below = rows["X_Ray_Test/Non_COVID/sub/b.png"]
    assert below.copied == {"label": "Non_COVID", "patient_id": ""} and below.modalities == ["xray"]
    assert rows["CT_Scan_Test/COVID/a.png"].modalities == ["ct"]


def test_class_folders_need_their_modality(tmp_path):
    root = touch(tmp_path, "COVID/a.png", "Non_COVID/b.png")
    with pytest.raises(UsageError, match="--modality"):
        read_labelled(root, CLASSES)
    rows = read_labelled(root, CLASSES, "ct")
    assert {(row.id, row.ct, row.xray, row.copied["label"]) for row in rows} == {
        ("COVID/a.png", root / "COVID/a.png", None, "COVID"),
        ("Non_COVID/b.png", root / "Non_COVID/b.png", None, "Non_COVID"),
    }


def test_modality_is_refused_where_the_data_says_it(tmp_path):
    root = touch(tmp_path, "X_Ray_Test/COVID/a.png", "X_Ray_Test/Non_COVID/b.png")
    with pytest.raises(UsageError, match="X_Ray_Test"):
        read_labelled(root, CLASSES, "xray")


def test_tables_of_images_and_of_pairs(tmp_path):
    images = tmp_path / "images.csv"
    images.write_text("image,modality,label,patient_id\na.png,xray,COVID,p1\nb.png,xray,Non_COVID,p2\n")
    first, second = read_labelled(images, CLASSES)
    assert (first.id, first.xray, first.ct) == ("a.png", tmp_path / "a.png", None)
    assert second.copied == {"label": "Non_COVID", "patient_id": "p2"}
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("id,xray,ct,label\n1,a.png,b.png,COVID\n2,c.png,d.png,Non_COVID\n")
    assert [row.modalities for row in read_labelled(pairs, CLASSES)] == [["xray", "ct"]] * 2


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["X_Ray_Test/COVID/a.png", "X_Ray_Test/Non_Covid/b.png"], "class 'Non_Covid' is not one of this bundle's. Did you mean"),
        (["X_Ray_Test/COVID/a.png", "X_Ray_Test/COVID/b.png"], "every xray row is COVID, both classes are needed"),
        (["XRay_Test/COVID/a.png"], "Did you mean 'X_Ray_Test'"),
    ],
)  # fmt: skip
def test_folders_that_cannot_be_meant_are_refused(tmp_path, files, message):
    with pytest.raises(DataError) as caught:
        read_labelled(touch(tmp_path, *files), CLASSES)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,modality,label\na.png,x-ray,COVID\n", "modality 'x-ray' is unknown. Did you mean 'xray'"),
        ("image,modality,label\na.png,xray,Covid19\n", "class 'Covid19' is not one of this bundle's. Did you mean 'COVID'"),
        ("image,modality,label\na.png,xray,COVID\na.png,xray,COVID\n", "stands in row 1 and in row 2"),
        ("image,modality,labels\na.png,xray,COVID\n", "no column 'label'. Did you mean 'labels'"),
        ("id,xray,ct\n1,a.png,b.png\n", "no column 'label'"),
        ("id,xray,ct,label\n1,a.png,,COVID\n2,b.png,,Non_COVID\n3,,c.png,COVID\n", "every ct row is COVID"),
    ],
)
def test_tables_that_cannot_be_meant_are_refused(tmp_path, text, message):
    path = tmp_path / "labelled.csv"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_labelled(path, CLASSES)
    assert message in str(caught.value)


def test_a_patient_table_needs_its_columns(tmp_path):
    root = touch(tmp_path, "X_Ray_Test/COVID/a.png", "X_Ray_Test/Non_COVID/b.png")
    (root / "patients.csv").write_text("image,patient\nX_Ray_Test/COVID/a.png,p1\n")
    with pytest.raises(DataError, match="no column 'patient_id'. Did you mean 'patient'"):
        read_labelled(root, CLASSES)


def test_labelled_folders_and_tables(tmp_path):
    for split in ("train", "test"):
        for name in BINARY:
            touch(tmp_path / "split" / split / name, "IM-0115-0001.png")
    said = []
    images = read_labelled_cases(tmp_path / "split", BINARY, said.append)
    assert [image.source.label for image in images] == list(BINARY) and images[0].patient_id == "IM-0115"
    assert any("only its test part is judged, 2 of 4" in text for text in said)
    table = tmp_path / "split" / "table.csv"
    table.write_text("image,label\ntrain/NORMAL/IM-0115-0001.png,NORMAL\ntest/PNEUMONIA/IM-0115-0001.png,PNEUMONIA\n")
    assert len(read_labelled_cases(table, BINARY, said.append)) == 2 and "2 of 2 images have no patient_id" in said[-1]


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        (("NORMAL", "PNEUMONAI"), "'PNEUMONAI' is not one of this bundle's. Did you mean 'PNEUMONIA'"),
        (("NORMAL", "BACTERIA", "VIRUS"), "3 classes, this bundle tells 2 apart: 'BACTERIA', 'VIRUS' are none"),
        (("NORMAL", "PNEUMONIA", "COVID"), "'COVID' is none of its"),
        (("NORMAL",), "only the class 'NORMAL'"),
    ],
)
def test_classes_that_do_not_fit_are_named(tmp_path, classes, said):
    for name in classes:
        touch(tmp_path / name, "1.png")
    with pytest.raises(DataError) as caught:
        read_labelled_cases(tmp_path, BINARY, lambda text: None)
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("image,lable\nx.png,NORMAL\n", "no column 'label'"),
        ("image,label\nx.png,NORMAL\nx.png,PNEUMONIA\n", "stands in row 1 and in row 2"),
        ("image,label\nx.png,\n", "row 1 has no label"),
        ("image,label\nx.png,NORMAL\ny.png,NORMAL\n", "every image is NORMAL"),
    ],
)
def test_tables_that_do_not_fit_are_named(tmp_path, content, said):
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(DataError, match=said):
        read_labelled_cases(tmp_path / "t.csv", BINARY, lambda text: None)
