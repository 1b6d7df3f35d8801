"""Classes are called as the data calls them, in the four folders, in class folders and by what a configuration makes of them."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from pipeline.data.class_names import class_name, refuse_alike_names
from pipeline.data.layouts.data_source import DataSource, read_labelled_scans, read_scans
from pipeline.engine.errors import DataError

FOUR = ("X_Ray_Train", "X_Ray_Test", "CT_Scan_Train", "CT_Scan_Test")


def make(root, folders=FOUR, classes=("Healthy", "TB"), scans=8):
    """Empty files: layouts never open a scan."""
    for folder in folders:
        for label in classes:
            (root / folder / label).mkdir(parents=True)
            for number in range(scans):
                (root / folder / label / f"{number}.png").touch()
    return root


def heard(root, **settings):
    said: list[str] = []
    return read_scans(root, DataSource(**settings), 0, said.append), said


@pytest.mark.parametrize("classes", [("Healthy", "TB"), ("a, b", "c"), ("Gesund – o. B.", "Lungenentzündung"), tuple("ABCD")])
def test_the_four_folders_have_the_classes_that_lie_in_them(tmp_path, classes):
    scans, _ = heard(make(tmp_path, classes=classes))
    assert Counter(scan.label for scan in scans) == dict.fromkeys(classes, 32)
    assert {scan.split for scan in scans} == {"train", "valid", "test"}


@pytest.mark.parametrize(("folders", "modality"), [(FOUR[:2], "xray"), (FOUR[2:], "ct")])
def test_one_modality_alone_is_enough(tmp_path, folders, modality):
    scans, _ = heard(make(tmp_path, folders))
    assert {scan.modality for scan in scans} == {modality}


def test_a_modality_may_be_left_out(tmp_path):
    make(tmp_path)
    assert {scan.modality for scan in heard(tmp_path, modalities=("ct",))[0]} == {"ct"}


@pytest.mark.parametrize("gone", FOUR)
def test_half_a_modality_is_refused(tmp_path, gone):
    make(tmp_path)
    (tmp_path / gone).rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=f"no folder '{gone}'"):
        heard(tmp_path)


def test_two_misspelt_folders_are_no_other_modality(tmp_path):
    make(tmp_path, ("X_Ray_Train", "X_Ray_Test", "CT-Scan-Train", "CT-Scan-Test"))
    with pytest.raises(DataError, match="no folder 'CT_Scan_Train'. Did you mean 'CT-Scan-Train'"):
        heard(tmp_path)


def test_four_classes_in_xrays_and_two_in_ct_are_refused_and_both_ways_out_work(tmp_path):
    make(tmp_path, FOUR[:2], tuple("ABCD"))
    make(tmp_path, FOUR[2:], ("A", "B"))
    with pytest.raises(DataError, match=r"ct: A, B; xray: A, B, C, D.*modalities: \[xray\]"):
        heard(tmp_path)
    assert {scan.label for scan in heard(tmp_path, modalities=("xray",))[0]} == set("ABCD")
    scans, said = heard(tmp_path, labels={"A": "ill", "B": "well", "C": "ill"})
    assert Counter((scan.modality, scan.label) for scan in scans) == {
        ("xray", "ill"): 32, ("xray", "well"): 16, ("ct", "ill"): 16, ("ct", "well"): 16,
    }  # fmt: skip
    assert any("16 scans have labels that s01.data.labels does not name, and are left out: D" in line for line in said)
    with pytest.raises(DataError, match="no scan has the label 'a'. Did you mean 'A'"):
        heard(tmp_path, labels={"a": "ill", "B": "well"})


@pytest.mark.posix
@pytest.mark.parametrize("pair", [("TB", "tb"), ("Non TB", "Non_TB"), ("no-finding", "NO FINDING")])
@pytest.mark.parametrize("layout", ["respiratory", "class_folders"])
def test_names_that_differ_in_case_or_dashes_only_are_refused(tmp_path, pair, layout):
    make(tmp_path, FOUR if layout == "respiratory" else ("",), (*pair, "other"))
    with pytest.raises(DataError, match=re.escape("differ in case, blanks, dashes or the like only")):
        heard(tmp_path, layout=layout)
    kept = dict.fromkeys(pair, pair[0]) | {"other": "other"}
    assert {scan.label for scan in heard(tmp_path, layout=layout, labels=kept)[0]} == {pair[0], "other"}


def test_names_told_apart_by_signs_alone_are_two():
    refuse_alike_names(["+", "-", "CT 1", "CT 2", "正常", "异常"])
    refuse_alike_names(["COVID", "COVID+", "COVID-", "COVID?", "< 3 cm", "> 3 cm", "1.5", "15", "10", "1.0", "1-2", "12"])
    for pair in (["1", "1.0"], ["TB", "TB."], ["TB", "TB\u200b"], ["TB", "ＴＢ"], ["T1 - T2", "T1-T2"], ["Straße", "STRASSE"]):
        with pytest.raises(DataError, match="or the like only"):
            refuse_alike_names(pair)


def test_accents_composed_or_not_are_one_name_and_line_breaks_none():
    assert class_name(" Entzu\u0308ndung ") == "Entz\u00fcndung"
    with pytest.raises(DataError, match="line break"):
        class_name("a\nb")


@pytest.mark.parametrize("layout", ["respiratory", "class_folders"])
def test_a_class_of_one_scan_is_refused_by_name(tmp_path, layout):
    make(tmp_path, ("X_Ray_Train", "X_Ray_Test") if layout == "respiratory" else ("",))
    folder = tmp_path / ("X_Ray_Train" if layout == "respiratory" else "") / "TB"
    for number in range(1, 8):
        (folder / f"{number}.png").unlink()
    with pytest.raises(DataError, match="class 'TB': 1 "):
        heard(tmp_path, layout=layout)


def test_scans_keep_the_split_of_their_folders_alone(tmp_path):
    make(tmp_path, ("Training", "holdout"))
    scans = read_labelled_scans(tmp_path, DataSource(layout="class_folders"), lambda _: None)
    assert Counter(scan.split for scan in scans) == {"train": 16, "test": 16}
