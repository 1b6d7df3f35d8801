"""Labelled cases from folders and tables, and what is refused of them."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
        (["X_Ray_Test/COVID/a.png", "X_Ray_Test/Non_Cov1d/b.png"], "class 'Non_Cov1d' is not one of this bundle's. Did you mean"),
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


def test_a_bundle_of_x_rays_reads_its_part_of_the_test_folders(tmp_path):
    root = touch(tmp_path, "X_Ray_Test/COVID/a.png", "X_Ray_Test/Non_COVID/b.png", "CT_Scan_Test/COVID/c.png")
    said = []
    cases = read_labelled_cases(root, CLASSES, said.append)
    assert [(case.id, case.label, case.ct) for case in cases] == [
        ("X_Ray_Test/COVID/a.png", "COVID", None), ("X_Ray_Test/Non_COVID/b.png", "Non_COVID", None),
    ]  # fmt: skip
    assert any(text.endswith("left out, not of xray: CT_Scan_Test") for text in said)
    with pytest.raises(DataError, match="CT_Scan_Test alone"):
        read_labelled_cases(touch(tmp_path / "ct", "CT_Scan_Test/COVID/c.png"), CLASSES, said.append)


def test_splits_and_images_folders_are_read_for_a_bundle_of_both_modalities(tmp_path):
    split = touch(tmp_path / "split", *(f"{part}/{name}/1.png" for part in ("train", "test") for name in CLASSES))
    said = []
    assert {row.id for row in read_labelled(split, CLASSES, "ct", said)} == {"test/COVID/1.png", "test/Non_COVID/1.png"}
    assert any("only its test part is judged, 2 of 4" in text for text in said)
    images = touch(tmp_path / "images", *(f"{name}/{kind}/1.png" for kind in ("images", "masks") for name in CLASSES))
    rows = read_labelled(images, CLASSES, "xray")
    assert {row.id: row.mask for row in rows} == {
        f"{name}/images/1.png": images / name / "masks" / "1.png" for name in CLASSES
    }  # fmt: skip


def test_without_a_test_part_all_of_it_is_judged_and_said(tmp_path):
    root = touch(tmp_path, *(f"train/{name}/1.png" for name in BINARY))
    said = []
    assert len(read_labelled_cases(root, BINARY, said.append)) == 2
    assert any("may have been trained on it" in text for text in said)


def test_a_table_tells_masks_notes_patients_and_modalities(tmp_path):
    table = tmp_path / "cases.csv"
    table.write_text(
        "image,label,modality,mask,note,patient_id\n"
        "a.png,NORMAL,xray,m.png,a cough,p1\nb.png,PNEUMONIA,xray,,,p2\nc.png,PNEUMONIA,ct,,,p3\n"
    )
    said = []
    first, second = read_labelled_cases(table, BINARY, said.append)
    assert (first.mask, first.note, first.patient_id) == (tmp_path / "m.png", "a cough", "p1")
    assert (second.mask, second.note, second.label) == (None, None, "PNEUMONIA")
    assert said == [f"{table}: 1 of 3 rows name no xray image and are left out"]
    with pytest.raises(DataError, match="names no ct image"):
        table.write_text("image,label,modality\na.png,NORMAL,xray\n")
        read_labelled_cases(table, BINARY, said.append, modalities=("ct",))


def test_pairs_have_a_patient_on_each_side_and_one_side_is_enough_for_a_bundle_of_x_rays(tmp_path):
    table = tmp_path / "pairs.csv"
    table.write_text(
        "id,xray,ct,label,patient_id,patient_id_ct\n1,a.png,b.png,COVID,p,q\n2,c.png,,Non_COVID,r,\n3,d.png,e.png,Non_COVID,r,s\n"
    )
    first, second, _ = read_labelled(table, CLASSES)
    assert (first.patient_id, first.patient_id_ct, second.patient_id_ct) == ("p", "q", "")
    assert first.source.path == tmp_path / "a.png" and first.source.relative.as_posix() == "1"
    assert [case.scans for case in read_labelled_cases(table, CLASSES, lambda text: None)] == [
        [tmp_path / "a.png"], [tmp_path / "c.png"], [tmp_path / "d.png"],
    ]  # fmt: skip


def test_one_image_by_two_spellings_is_one_image(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("image,label\na.png,NORMAL\n./x/../a.png,PNEUMONIA\n")
    with pytest.raises(DataError, match="stands in row 1 and in row 2"):
        read_labelled_cases(table, BINARY, lambda text: None)


NAMES = st.text(st.characters(categories=("L", "N", "M"), include_characters=" -_.,;\"'"), min_size=1, max_size=12).map(
    lambda text: f"a{text}z"
)
CASES = st.dictionaries(NAMES, st.tuples(st.sampled_from(BINARY), NAMES | st.just("")), min_size=2, max_size=12)
both_classes = CASES.filter(lambda cases: {label for label, _ in cases.values()} == set(BINARY))
quick = settings(deadline=None, max_examples=40)


@quick
@given(both_classes)
def test_a_folder_and_a_table_of_the_same_images_tell_the_same(cases):
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        told = {f"{label}/{stem}.png": (label, patient) for stem, (label, patient) in cases.items()}
        touch(root, *told)
        with (root / "rows.csv").open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([("image", "label", "patient_id"), *((name, *found) for name, found in told.items())])
        said_of_table, said_of_folder = [], []
        from_table = read_labelled_cases(root / "rows.csv", BINARY, said_of_table.append)
        (root / "rows.csv").rename(root / "patients.csv")
        from_folder = read_labelled_cases(root, BINARY, said_of_folder.append)
        for read in (from_table, from_folder):
            assert {case.id: (case.label, case.patient_id) for case in read} == told
            assert all(case.xray == root / case.id and case.ct is None and case.mask is None for case in read)
            assert len({case.source for case in read}) == len(told)
        unknown = sum(not patient for _, patient in cases.values())
        words = [f"{unknown} of {len(told)} images have no patient_id; each counts as a patient"] if unknown else []
        assert [text.partition(": ")[2] for text in said_of_table] == words
        assert [text.partition(": ")[2] for text in said_of_folder] == words


@quick
@given(both_classes, st.sampled_from(("image", "label", "again")), st.randoms(use_true_random=False))
def test_a_row_that_lacks_a_cell_or_stands_twice_is_named(cases, fault, random):
    rows = [[f"{stem}.png", label] for stem, (label, _) in cases.items()]
    place = random.randrange(len(rows))
    if fault == "again":
        rows.insert(place, list(rows[place]))
    else:
        rows[place][("image", "label").index(fault)] = ""
    says = {"image": f"row {place + 1} names no image", "label": f"row {place + 1} has no label",
            "again": f"stands in row {place + 1} and in row {place + 2}"}[fault]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "t.csv"
        with table.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([("image", "label"), *rows])
        with pytest.raises(DataError) as caught:
            read_labelled_cases(table, BINARY, lambda text: None)
    assert says in caught.value.message


@quick
@given(NAMES.filter(lambda name: name not in BINARY), both_classes)
def test_a_class_that_no_bundle_knows_is_named_with_its_first_case(unknown, cases):
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "t.csv"
        with table.open("w", newline="", encoding="utf-8") as stream:
            rows = [(f"{number}.png", label) for number, (label, _) in enumerate(cases.values())]
            csv.writer(stream).writerows([("image", "label"), *rows, ("odd.png", unknown)])
        with pytest.raises(DataError) as caught:
            read_labelled_cases(table, BINARY, lambda text: None)
    assert repr(unknown) in caught.value.message


def test_words_of_tables_are_read_without_case_and_blanks(tmp_path):
    touch(tmp_path, "a.png", "b.png", "c.png", "d.png")
    table = tmp_path / "rows.csv"
    table.write_text("image,modality,label,patient_id\na.png,XRay,covid,p1\nb.png,x ray,NON_COVID,unknown\n"
                     "c.png,CT, Covid,None\nd.png,ct,Non_COVID,-\n")  # fmt: skip
    told: list[str] = []
    cases = read_labelled_cases(table, ("COVID", "Non_COVID"), told.append, modalities=("xray", "ct"))
    assert [case.modalities for case in cases] == [["xray"], ["xray"], ["ct"], ["ct"]]
    assert [case.label for case in cases] == ["COVID", "Non_COVID"] * 2
    assert [case.patient_id for case in cases] == ["p1", "", "", ""] and any("3 of 4" in text for text in told)
