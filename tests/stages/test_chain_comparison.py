"""`compare` and the demo's findings, on the tiny run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli.app import main
from pipeline.cli.demo.findings import findings_text, read_findings
from pipeline.engine.rundir import RunDirectory
from stages import STAGES

ROOT = Path(__file__).resolve().parents[2]
HEAVY = """
import sys
from pipeline.cli.app import main
from stages import STAGES
code = main(STAGES, sys.argv[1:])
loaded = {'tensorflow', 'keras'} & set(sys.modules)
sys.exit(f"loaded {sorted(loaded)}" if loaded else code)
"""
FIGURES = {"roc.png", "confusion.png", "metrics.png", "calibration.png", "training_noise.png"}


@pytest.fixture
def command(monkeypatch, capsys):
    """Run a command line; returns (exit code, stdout, stderr)."""
    import sys

    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def command(*words):
        code = main(STAGES, [str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return command


@pytest.fixture
def without_s06(tiny_run, tmp_path):
    copy = tmp_path / "until_s05"
    shutil.copytree(tiny_run.folder, copy)
    shutil.rmtree(next(copy.glob("s06_*")))
    return copy


def test_one_run_is_what_its_last_stage_said(command, tiny_run, tmp_path):
    made = next(tiny_run.folder.glob("s06_*"))
    code, out, _ = command("compare", "--run", tiny_run.folder, "--json", "--out", tmp_path / "out")
    assert code == 0 and json.loads(out) == json.loads((made / "comparison.json").read_text())
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"comparison.json", "report.md", *FIGURES}
    for name in ("comparison.json", "report.md", "roc.png"):
        assert (tmp_path / "out" / name).read_bytes() == (made / name).read_bytes()


def test_without_s06_the_one_training_is_compared_and_said_to_be_one(command, without_s06, tmp_path):
    code, out, _ = command("compare", "--run", without_s06, "--out", tmp_path / "out")
    assert code == 0 and "One training (s05), since s06 was not made" in out and "no spread over seeds" in out
    document = json.loads((tmp_path / "out" / "comparison.json").read_text())
    metrics = json.loads((without_s06 / "s05_classifier_head" / "metrics.json").read_text())
    for modality in ("xray", "ct", "paired"):
        expected = metrics["plain"][modality]["auc"]["value"]
        assert document["modalities"][modality]["plain"]["auc"]["value"] == pytest.approx(expected)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"comparison.json", "report.md", *FIGURES}


def test_two_runs_are_aligned_by_id_and_named_by_folder(command, tiny_run, tmp_path):
    twin = tmp_path / "twin"
    shutil.copytree(tiny_run.folder, twin)
    code, out, _ = command("compare", "--run", tiny_run.folder, twin, "--json")
    document = json.loads(out)
    arms = ("plain", "adversarial", "erased")
    assert code == 0 and document["arms"] == [f"{run}/{arm}" for run in ("first", "twin") for arm in arms]
    own = json.loads((next(twin.glob("s06_*")) / "comparison.json").read_text())
    for modality, by_arm in own["confusion"].items():
        assert document["confusion"][modality]["twin/plain"] == by_arm["plain"] == document["confusion"][modality]["first/plain"]
        assert document["training_noise"][modality]["twin/adversarial"] == own["training_noise"][modality]["adversarial"]


def test_two_runs_of_which_one_has_no_s06(command, tiny_run, without_s06):
    code, out, _ = command("compare", "--run", tiny_run.folder, "--run", without_s06, "--json")
    document = json.loads(out)
    assert code == 0 and len(document["arms"]) == 6
    assert sum("since s06 was not made" in warning for warning in document["warnings"]) == 2
    same = document["confusion"]["paired"]
    assert same["first/plain"] == same["until_s05/plain"]


def test_a_stages_folder_is_not_written_to(command, tiny_run):
    made = next(tiny_run.folder.glob("s06_*"))
    code, _, err = command("compare", "--run", tiny_run.folder, "--out", made)
    assert code == 2 and "which only its stage writes" in err


def test_findings_say_scores_verdicts_alignment_and_places(tiny_run):
    run = RunDirectory(tiny_run.folder)
    findings = read_findings(run)
    assert list(findings["metrics"]) == ["xray", "ct", "paired", "shuffled_pairs"] and findings["seeds"] == 2
    assert list(findings["alignment"]) == ["raw", "plain", "adversarial", "erased"]
    answers = [{"modality": "xray", "probability": 0.25, "predicted": "Non_COVID", "error": None},
               {"modality": "ct", "probability": None, "predicted": None, "error": "cut short"}]  # fmt: skip
    diagnosis = {"xray": "x.png", "ct": "c.png", "label": "COVID", "positive_class": "COVID", "answers": answers}
    findings |= {"bundle": "b", "duration_s": 3.0, "diagnosis": diagnosis}
    text = findings_text(findings)
    value = findings["metrics"]["paired"]["auc"]["value"]
    assert f"{value:.3f}" in text and findings["report"] in text and "Non_COVID, probability of COVID 0.250" in text
    assert text.startswith(f"Validation chose the variant {findings['chosen']!r}. On the test part")
    assert "CT                        no answer: cut short" in text
    assert all(entry["sentence"] in text for entry in findings["verdicts"])


def test_two_runs_with_s06_are_compared_without_tensorflow(tiny_run, tmp_path):
    shutil.copytree(tiny_run.folder, tmp_path / "other")
    words = ["compare", "--run", tiny_run.folder, "--run", tmp_path / "other", "--json", "--out", tmp_path / "out"]
    command = [sys.executable, "-c", HEAVY, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["arms"]) == 6
