"""`pipeline.compare`: what the command does, from Python."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline import compare
from pipeline.cli.app import main
from pipeline.engine.errors import CorruptArtifactError, DataError, MissingArtifactError, StaleArtifactError, UsageError
from tests.cli.made_predictions import write_predictions
from tests.cli.made_runs import classifier_run
from tests.inference.test_answer_forms import ALLOWED, Page

TABLE = {"ul": set(), "li": set(), "caption": {"style"}, "th": {"style"}}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("tables")
    return [write_predictions(folder / f"{name}.csv", shift) for name, shift in (("weak", 0.1), ("strong", 2.5))]


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> list[Path]:
    folder, truth = tmp_path_factory.mktemp("runs"), np.repeat(np.arange(12) % 3, 2)
    wrong = truth.copy()
    wrong[:12] = (wrong[:12] + 1) % 3
    return [classifier_run(folder / name, chosen) for name, chosen in (("first", wrong), ("second", truth))]


@pytest.fixture
def told(capsys):
    """The document that the command prints."""

    def told(*words) -> dict:
        assert main((), [*map(str, words), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return told


def test_tables_are_compared_as_by_the_command(files, told):
    found = compare(predictions=map(str, files))
    assert json.loads(json.dumps(found.document)) == told("compare", "--predictions", *files)
    assert found.verdicts == found.document["verdicts"] and "difference shown" in found.verdicts[0]["sentence"]
    assert compare(predictions=files, modality="ct").document == compare(predictions=files, modality=["ct"]).document


def test_runs_are_compared_as_by_the_command(runs, told):
    assert compare(runs[0]).document == told("compare", "--run", runs[0])
    found = compare(str(runs[0]), runs[1])
    assert found.document == told("compare", "--run", *runs) and found.document["arms"] == ["first", "second"]


def test_what_is_saved_is_what_the_command_writes(files, tmp_path, told):
    names = compare(predictions=files).save(tmp_path / "mine" / "deep")
    told("compare", "--predictions", *files, "--out", tmp_path / "theirs")
    theirs = {path.name: path.read_bytes() for path in (tmp_path / "theirs").iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "mine" / "deep").iterdir()} == theirs
    assert set(names) == set(theirs)


def test_its_repr_and_its_page_say_the_verdicts(files, tmp_path):
    found = compare(predictions=files)
    assert repr(found).startswith("<Comparison of weak, strong | CT, strong against weak: difference shown")
    page = Page(found._repr_html_(), ALLOWED | TABLE)
    words = " ".join(page.text.split())
    assert "CT, strong against weak: difference shown" in words and "AUC" in words and len(page.pictures) == 1
    assert words.count("CT: 40 rows of 20 patients") == 1 and "difference shown" in found.text
    hostile = write_predictions(tmp_path / "<script>alert(1)<b>.csv", 0.1)
    assert "<script>alert(1)<b>" in Page(compare(predictions=[hostile])._repr_html_(), ALLOWED | TABLE).text
    assert repr(compare(predictions=files[0])) == "<Comparison of weak | no test: one arm>"


def test_what_makes_no_comparison_is_refused(files, runs, tmp_path):
    refused = [
        ((), {}, UsageError, "Nothing to compare"),
        (("runs/absent",), {}, MissingArtifactError, "is not a run folder"),
        ((files[0],), {}, UsageError, "is a file, not a run.*predictions"),
        ((runs,), {}, UsageError, "list is no path to a run"),
        ((runs[0], runs[0]), {}, DataError, "named twice"),
        ((runs[0],), {"predictions": files}, UsageError, "cannot be mixed"),
        ((runs[0],), {"labels": files[0]}, UsageError, "labels belongs to"),
        ((), {"predictions": files, "system": "classifier"}, UsageError, "system belongs to"),
        ((runs[0],), {"system": "clasifier"}, UsageError, "Did you mean 'classifier'"),
        ((runs[0],), {"modality": "image"}, UsageError, "Did you mean 'images'"),
        ((), {"predictions": [tmp_path / "absent.csv"]}, DataError, "does not exist"),
        ((), {"predictions": [3]}, UsageError, "int is no path to a table"),
        ((), {"predictions": b"a.csv"}, UsageError, "no path to a table"),
        ((), {"predictions": [files[0]], "labels": 3}, UsageError, "int is no path to a table of labels"),
        (("https://example.org/run",), {}, UsageError, "nothing is fetched"),
    ]
    for arms, more, kind, said in refused:
        with pytest.raises(kind, match=said):
            compare(*arms, **more)


def test_a_run_whose_figures_are_of_older_artifacts_is_refused_with_what_mends_it(runs, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(runs[0], moved)
    path = moved / "s08_classifier" / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"inputs": {"dataset": "0" * 64}}))
    with pytest.raises(StaleArtifactError, match="s08_classifier was made from another 'dataset'") as refused:
        compare(moved)
    assert f"run --out {moved}" in refused.value.remedy


def test_a_table_that_was_edited_is_refused(runs, tmp_path):
    edited = tmp_path / "edited"
    shutil.copytree(runs[0], edited)
    table = edited / "s08_classifier" / "predictions.csv"
    table.write_bytes(table.read_bytes().replace(b"0.8", b"0.9", 1))
    with pytest.raises(CorruptArtifactError, match="was changed after it was made"):
        compare(edited)


def test_nothing_is_written_over_a_file_or_a_stage(files, tmp_path):
    found = compare(predictions=files)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "stage").mkdir()
    (tmp_path / "stage" / "manifest.json").write_text("{}")
    for place in ("file", "stage"):
        with pytest.raises(UsageError):
            found.save(tmp_path / place)
    assert (tmp_path / "file").read_text() == "mine"
    assert [path.name for path in (tmp_path / "stage").iterdir()] == ["manifest.json"]
