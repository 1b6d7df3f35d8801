"""`compare --predictions`: arms from files, what is written, and what is refused."""

from __future__ import annotations

import json
import sys

import pytest
from made_predictions import write_predictions

from pipeline.cli.app import main


@pytest.fixture
def command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def command(*words):
        code = main((), [str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return command


@pytest.fixture
def files(tmp_path):
    return write_predictions(tmp_path / "weak.csv", 0.1), write_predictions(tmp_path / "strong.csv", 2.5)


def test_the_documents_form(command, files):
    code, out, _ = command("compare", "--predictions", *files, "--json")
    document = json.loads(out)
    assert code == 0 and document["schema_version"] == 1 and document["arms"] == ["weak", "strong"]
    metrics = document["modalities"]["ct"]
    assert set(metrics["weak"]["accuracy"]) == {"value", "low", "high"}
    assert metrics["strong"]["auc"]["value"] > metrics["weak"]["auc"]["value"] + 0.2
    keys = {"modality", "metric", "test", "a", "b", "statistic", "p", "p_adjusted", "effect", "n"}
    assert document["tests"] and all(keys <= set(test) for test in document["tests"])
    assert document["counts"]["ct"]["clusters"] == 20


def test_table_verdict_and_files(command, files, tmp_path):
    code, out, _ = command("compare", "--predictions", files[0], "--predictions", files[1], "--out", tmp_path / "out")
    assert code == 0 and "| AUC" in out and "difference shown" in out
    figures = {f"{name}.png" for name in ("roc", "confusion", "metrics", "calibration", "training_noise")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"comparison.json", "report.md", *figures}
    assert "difference shown" in (tmp_path / "out" / "report.md").read_text()


def test_rows_that_not_every_arm_has_are_left_out_and_counted(command, files, tmp_path):
    short = write_predictions(tmp_path / "short.csv", 1.0, rows=range(10, 40))
    code, out, _ = command("compare", "--predictions", files[0], short, "--json", "--out", tmp_path / "out")
    document = json.loads(out)
    assert code == 0 and document["counts"]["ct"]["rows"] == 30
    assert any("10 of 40 rows" in warning for warning in document["warnings"])


def test_labels_from_a_file_of_their_own(command, files, tmp_path):
    bare = write_predictions(tmp_path / "bare.csv", 2.5, labelled=False)
    truth = tmp_path / "truth.csv"
    truth.write_text("id,label\n" + "".join(f"scan_{row},{row % 2}\n" for row in range(40)))
    code, out, _ = command("compare", "--predictions", bare, "--labels", truth, "--json")
    assert code == 0 and json.loads(out)["modalities"]["ct"]["bare"]["auc"]["value"] > 0.9


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "Nothing to compare"),
        (["--run", "a", "--predictions", "b.csv"], 2, "cannot be mixed"),
        (["--run", "a", "--labels", "b.csv"], 2, "--labels belongs to --predictions"),
        (["--run", "absent"], 3, "is not a run folder"),
        (["--predictions", "absent.csv"], 4, "absent.csv does not exist"),
    ],
)
def test_refusals(words, code, said, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found, _, err = command("compare", *words)
    assert found == code and said in err and err.count("\n") <= 2


def test_an_unanswerable_comparison_writes_nothing(command, tmp_path):
    other = write_predictions(tmp_path / "a.csv", 1.0, rows=range(10))
    apart = write_predictions(tmp_path / "b.csv", 1.0, rows=range(20, 30))
    code, _, err = command("compare", "--predictions", other, apart, "--out", tmp_path / "out")
    assert code == 4 and "share" in err and not (tmp_path / "out").exists()
