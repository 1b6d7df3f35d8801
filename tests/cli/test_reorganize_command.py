"""`data reorganize` on a phantom of Kermany's layout."""

import json

import pytest

from pipeline.cli.app import main


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    from pipeline.data.phantom import write_dataset

    root = tmp_path_factory.mktemp("kermany") / "chest_xray"
    write_dataset(root, 24, 3, layout="pneumonia", size=64, workers=1)
    return root


def test_counts_and_leakage_are_told(folders, tmp_path, capsys):
    out = tmp_path / "new"
    assert main([], ["data", "reorganize", "--data", str(folders), "--out", str(out), "--mode", "link", "--json", "--quiet"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == json.loads((out / "reorganization.json").read_text())
    assert document["scans"] == 24 and document["seed"] == 42
    assert sum(document["counts"]["three_class"]["train"].values()) + sum(document["counts"]["three_class"]["val"].values()) < 24
    assert document["published_split"]["patients_on_several_sides"] == 0
    assert sorted(path.name for path in out.iterdir()) == ["binary", "reorganization.json", "three_class"]


def test_one_label_set_as_a_table_for_people(folders, tmp_path, capsys):
    out = tmp_path / "new"
    words = ["data", "reorganize", "--data", str(folders), "--out", str(out), "--labels", "binary"]
    words += ["--desired-total-samples", "20"]
    assert main([], words) == 0
    said = capsys.readouterr().out
    assert "PNEUMONIA" in said and "20 scans of" in said and "Published split: nothing on several sides." in said
    assert main([], words) == 4
    assert "not empty" in capsys.readouterr().err


def test_a_split_folder_is_read_by_the_class_folder_layout(folders, tmp_path):
    from pipeline.data.layouts.class_folders import read_class_folders

    assert main([], ["data", "reorganize", "--data", str(folders), "--out", str(tmp_path / "new"), "--quiet"]) == 0
    scans = read_class_folders(tmp_path / "new" / "three_class")
    assert {scan.split for scan in scans} == {"train", "valid", "test"} and all(scan.patient_id for scan in scans)
