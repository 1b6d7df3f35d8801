"""`readers`: what is written, said and refused."""

from __future__ import annotations

import json

import numpy as np
import pytest


@pytest.fixture
def calls(tmp_path):
    generator = np.random.default_rng(0)
    lines = ["case_id,reader_id,with_ai,call,truth"]
    for reader in ("Ada", "Ben", "Cyd", "Dov"):
        for case in range(40):
            wrong = generator.random() < 0.4
            mended = wrong and generator.random() < 0.2
            for arm, flipped in ((0, wrong), (1, mended)):
                lines.append(f"c{case},{reader},{arm},{int((case % 2 == 1) != flipped)},{case % 2}")
    path = tmp_path / "readers.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_table_document_and_figure(command, calls, tmp_path):
    code, out, _ = command("readers", "--csv", calls, "--out", tmp_path / "study")
    assert code == 0 and "readers at large" in out and "Ada" in out and "difference shown" in out
    assert {path.name for path in (tmp_path / "study").iterdir()} == {"reader_study.json", "reader_study.png"}
    document = json.loads((tmp_path / "study" / "reader_study.json").read_text())
    assert document["readers"] == ["Ada", "Ben", "Cyd", "Dov"] and document["counts"]["cases"] == 40


def test_json(command, calls, tmp_path):
    code, out, _ = command("readers", "--csv", calls, "--out", tmp_path / "study", "--json")
    document = json.loads(out)
    assert code == 0 and document["schema_version"] == 1 and set(document["mrmc"]) == {"sensitivity", "specificity", "auc"}


def test_truth_of_its_own(command, calls, tmp_path):
    bare = tmp_path / "bare.csv"
    bare.write_text("\n".join(line.rsplit(",", 1)[0] for line in calls.read_text().splitlines()) + "\n")
    truth = tmp_path / "truth.csv"
    truth.write_text("case_id,truth\n" + "".join(f"c{case},{['no', 'yes'][case % 2]}\n" for case in range(40)))
    words = ("readers", "--csv", bare, "--truth", truth, "--positive", "yes", "--out", tmp_path / "study", "--json")
    code, out, _ = command(*words)
    assert code == 0 and json.loads(out)["counts"]["positive"] == 20


def test_refusals_write_nothing(command, calls, tmp_path):
    with calls.open("a") as stream:
        stream.write("c99,Ada,0,1,\n")
    code, _, err = command("readers", "--csv", calls, "--out", tmp_path / "study")
    assert code == 4 and "no truth" in err and "c99" in err and err.count("\n") <= 2
    assert not (tmp_path / "study").exists()
    code, _, err = command("readers", "--csv", tmp_path / "absent.csv", "--out", tmp_path / "study")
    assert code == 4 and "absent.csv" in err
    code, _, err = command("readers", "--csv", calls, "--out", calls)
    assert code == 2 and "is a file" in err
