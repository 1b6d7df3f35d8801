"""`init` writes what a run can be made with, asks for what it would have to guess, and never writes over a file."""

from __future__ import annotations

import json

import pytest
from own_scans import class_folders, contents, listed

from pipeline.cli import app
from pipeline.cli.init.draft import fitting_side
from pipeline.data.layouts.class_folders import read_class_folders
from pipeline.engine.config import load_run_config
from pipeline.systems import SYSTEMS
from stages import STAGES

FOUR = ("X_Ray_Train", "X_Ray_Test", "CT_Scan_Train", "CT_Scan_Test")


@pytest.fixture
def call(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words):
        code = app.main(STAGES, [str(word) for word in words])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


@pytest.fixture
def init(call, tmp_path):
    """``init(data, *words)`` → (exit code, document, error, file)."""

    def run(data, *words, out=tmp_path / "my.yaml"):
        before = contents(data) if data.is_dir() else None
        code, shown, err = call("init", "--data", data, "--out", out, "--json", *words)
        assert before is None or contents(data) == before
        return code, json.loads(shown) if shown else None, err, out

    return run


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def notes(number):
    return f"cough for {number} days"


EVERY = {
    "respiratory_mtl, three classes on X-rays alone": (
        lambda root: class_folders(root, ("A", "B", "C"), 8, FOUR[:2]), (),
    ),
    "respiratory_mtl": (lambda root: class_folders(root, ("Healthy", "TB"), 8, FOUR), ("--positive-class", "TB")),
    "radiography_unet": (lambda root: class_folders(root, masks=True), ("--positive-class", "Fibrosis", "--modality", "xray")),
    "classifier": (lambda root: class_folders(root, tuple("ABC")), ("--modality", "ct")),
    "vision_text": (
        lambda root: listed(root, story=notes, patient=str),
        ("--notes", "story", "--modality", "xray", "--positive-class", "No nodule"),
    ),
}


@pytest.mark.parametrize("kind", EVERY)
def test_every_system_gets_a_configuration_that_loads_and_plans(init, call, data, kind, tmp_path):
    system, (make, words) = kind.partition(",")[0], EVERY[kind]
    code, document, err, out = init(make(data), "--system", system, *words)
    assert code == 0, err
    assert f"-c {out} --data {data}" in document["next"] and document["system"] == system
    config = load_run_config(out, STAGES)
    assert config.system == system and config.seed == 2020
    first, classes = config.stages["s01"], {path.parent.name for path in data.rglob("*.png")} - {"images", "masks", "a"}
    assert set(document["classes"]) >= classes and (document["positive_class"] is None) == (len(document["classes"]) > 2)
    assert first.positive_class == document["positive_class"] and {p.size for p in first.profiles.values()} == {64}
    code, shown, err = call("plan", "-c", out, "--data", data, "--out", tmp_path / "run", "--json")
    steps = json.loads(shown)
    assert code == 0 and steps and {step["action"] for step in steps} == {"run"}
    assert out.read_text().count("#") >= 8


def test_every_system_is_tried():
    assert {kind.partition(",")[0] for kind in EVERY} == {system.name for system in SYSTEMS}


def test_two_classes_want_one_named_and_more_do_not(init, data):
    class_folders(data)
    words = ("--system", "classifier", "--modality", "xray")
    code, _, err, out = init(data, *words)
    assert code == 2 and "Which of the two classes" in err and "--positive-class Fibrosis or --positive-class Healthy" in err
    code, _, err, _ = init(data, *words, "--positive-class", "fibrosis")
    assert code == 2 and "Did you mean 'Fibrosis'" in err and not out.exists()
    code, document, _, _ = init(data, *words, "--positive-class", "Fibrosis")
    assert code == 0 and document["positive_class"] == "Fibrosis"


def test_what_would_be_guessed_is_asked_for(init, data):
    class_folders(data)
    code, _, err, _ = init(data, "--system", "classifier", "--positive-class", "Fibrosis")
    assert code == 2 and "Say --modality xray or --modality ct" in err
    code, _, err, _ = init(data, "--system", "clasifier")
    assert code == 2 and "Did you mean 'classifier'" in err
    code, _, err, _ = init(data, "--system", "radiography_unet", "--modality", "xray", "--positive-class", "Healthy")
    assert code == 4 and "No scan has a lung mask" in err
    code, _, err, _ = init(data, "--system", "vision_text", "--modality", "xray", "--positive-class", "Healthy")
    assert code == 2 and "--notes COLUMN" in err
    code, _, err, out = init(data, "--system", "vision_text", "--notes", "x", "--modality", "xray")
    assert code == 2 and "a list" in err and not out.exists()


def test_a_system_of_one_modality_asks_which_of_two(init, data):
    class_folders(data, ("Healthy", "TB"), 5, FOUR)
    words = ("--system", "classifier", "--positive-class", "TB")
    code, _, err, _ = init(data, *words)
    assert code == 2 and "--modality xray or --modality ct" in err
    code, document, _, out = init(data, *words, "--modality", "ct")
    assert code == 0 and document["modalities"] == ["ct"]
    assert load_run_config(out, STAGES).stages["s01"].data.modalities == ("ct",)


def test_nothing_is_written_over_beside_or_half(init, data, tmp_path):
    class_folders(data)
    words = ("--system", "classifier", "--modality", "xray", "--positive-class", "Healthy")
    mine = tmp_path / "mine.yaml"
    mine.write_text("mine")
    code, _, err, _ = init(data, *words, out=mine)
    assert code == 2 and "is there already" in err and mine.read_text() == "mine"
    code, _, err, _ = init(data, *words, out=data / "my.yaml")
    assert code == 2 and "inside the data" in err
    assert init(data, *words, out=tmp_path / "my.txt")[0] == 2
    (tmp_path / "file").write_text("")
    assert init(data, *words, out=tmp_path / "file" / "my.yaml")[0] == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "file", "mine.yaml"]
    assert init(data, *words, out=tmp_path / "new" / "my.yaml")[0] == 0


def test_a_draft_that_would_not_load_leaves_nothing(init, data, tmp_path, monkeypatch):
    import pipeline.cli.init.classifier as classifier

    class_folders(data)
    monkeypatch.setattr(classifier, "_ordered", lambda facts: 7)
    code, _, _, _ = init(data, "--system", "classifier", "--modality", "xray", "--positive-class", "Healthy")
    assert code == 2 and [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("classes", [("a, b", "c: d"), ("Lungenentzündung", "o. B."), ("yes", "no"), ("1", "2"), ("#x", "{y}")])
def test_names_of_any_letters_come_through(init, data, classes):
    class_folders(data, classes)
    code, document, err, out = init(data, "--system", "classifier", "--modality", "xray", "--positive-class", classes[0])
    assert code == 0, err
    config = load_run_config(out, STAGES)
    assert config.stages["s01"].positive_class == classes[0] and set(config.stages["s08"].classes) == set(classes)


def test_labels_are_brought_together(init, data):
    class_folders(data, ("bacterial", "viral", "normal"))
    words = ("--label", "bacterial=pneumonia", "--label", "viral=pneumonia", "--label", "normal=normal")
    code, document, err, out = init(
        data, "--system", "classifier", "--modality", "xray", "--positive-class", "pneumonia", *words
    )
    assert code == 0 and document["classes"] == ["normal", "pneumonia"], err
    assert load_run_config(out, STAGES).stages["s01"].data.labels["viral"] == "pneumonia"


def test_patients_and_the_split_of_a_list_are_told(init, data):
    listed(data, Patient=lambda n: f"p{n // 2}", split=lambda n: ("train", "val", "test")[n // 2 % 3])
    code, document, _, out = init(data, "--system", "classifier", "--modality", "xray", "--positive-class", "Nodule")
    assert code == 0 and document["splits"] == {"test": 8, "train": 8, "valid": 8} and document["patients"] == 12
    assert "Patients are told by list.csv." in out.read_text() and "as the data name it" in out.read_text()


def test_scans_are_not_made_larger_than_they_are(data):
    assert fitting_side(read_class_folders(class_folders(data), lambda _: None)) == 64
