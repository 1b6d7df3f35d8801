"""`fairness`: what is written, said and refused, on every form of predictions."""

from __future__ import annotations

import json

import numpy as np
import pytest


@pytest.fixture
def write(tmp_path):
    def write(lines, name="predictions.csv"):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


@pytest.fixture
def predictions(write):
    """120 rows; answers for women are good, for men hardly better than chance."""
    generator = np.random.default_rng(0)
    lines = ["image,predicted,confidence,prob_NORMAL,prob_PNEUMONIA,error,label,sex,patient_id"]
    for row in range(120):
        label, sex = row // 2 % 2, "FM"[row % 2]
        right = generator.random() < (0.97 if sex == "F" else 0.55)
        of_positive = (0.8 if (label == 1) == right else 0.2) + 0.1 * generator.random()
        predicted = ("NORMAL", "PNEUMONIA")[int(of_positive > 0.5)]
        probs = f"{of_positive:.4f},{1 - of_positive:.4f},{of_positive:.4f}"
        lines.append(f"a/{row}.png,{predicted},{probs},,{('NORMAL', 'PNEUMONIA')[label]},{sex},p{row}")
    return write(lines)


def test_table_document_and_figure(command, predictions, tmp_path):
    words = ("fairness", "--predictions", predictions, "--by", "sex", "--positive", "PNEUMONIA", "--out", tmp_path / "f")
    code, out, _ = command(*words)
    assert code == 0 and "worst group by balanced accuracy: M" in out and "gap shown" in out and "everybody" in out
    assert {path.name for path in (tmp_path / "f").iterdir()} == {"fairness.json", "fairness.png"}
    document = json.loads((tmp_path / "f" / "fairness.json").read_text())
    assert document["gaps"]["auc"]["worst"] == "M" and document["groups"]["F"]["patients"] == 60


def test_column_label_and_patients_from_a_table(command, write, tmp_path):
    lines = [f"s{row},{0.9 if row % 3 else 0.2},{'boom' if row == 7 else ''}" for row in range(60)]
    answers = write(["id,probability,error", *lines])
    facts = [f"s{row},{['Non_COVID', 'COVID'][row % 2]},p{row // 2},{row + 20:03d}Y" for row in range(60)]
    table = write(["image,label,patient_id,PatientAge", *facts], "table.csv")
    words = ("fairness", "--predictions", answers, "--by", "PatientAge", "--table", table, "--positive", "COVID")
    code, out, _ = command(*words, "--out", tmp_path / "f", "--json")
    document = json.loads(out)
    assert code == 0 and list(document["groups"]) == ["18-39", "40-59", "60+"]
    assert document["groups"]["18-39"] | {"metrics": 0} == {
        "rows": 19, "patients": 10, "by_class": {"Non_COVID": 10, "COVID": 9}, "small": False, "metrics": 0,
    }  # fmt: skip
    assert any("1 of 60 rows have no answer" in note for note in document["warnings"])


def test_predicted_alone_and_three_classes(command, write, tmp_path):
    names = ("NORMAL", "BACTERIAL", "VIRAL")
    lines = [f"{row},{names[row % 3]},{names[row % 3 if row % 5 else 0]},{'PA' if row % 2 else 'AP'}" for row in range(90)]
    answers = write(["id,label,predicted,view", *lines])
    code, out, _ = command("fairness", "--predictions", answers, "--by", "view", "--out", tmp_path / "f", "--json")
    document = json.loads(out)
    assert code == 0 and set(document["class_names"]) == set(names) and "macro_auc" not in document["gaps"]
    assert "sensitivity:VIRAL" in document["gaps"]


@pytest.mark.parametrize(
    ("change", "by", "said"),
    [
        (lambda lines: lines, "sexe", "Did you mean 'sex'"),
        (lambda lines: [line.replace(",M,", ",F,") for line in lines], "sex", "one value 'F'"),
        (lambda lines: [*lines, lines[1]], "sex", "'a/0.png' is predicted twice"),
        (lambda lines: [line.replace(",label,", ",diagnosis,") for line in lines], "sex", "no column label"),
        (lambda lines: [*lines, "x,NORMAL,1,1,0,,,F,"], "sex", "'x' has no label"),
        (lambda lines: [*lines, "x,NORMAL,1,1,0,,VIRUS,F,"], "sex", "label 'VIRUS' is none of the classes"),
        (lambda lines: [*lines, "x,NORMAL,1,1.5,0,,NORMAL,F,"], "sex", "probability '1.5'"),
        (lambda lines: [*lines, "x,NORMAL,1,0.2,0.2,,NORMAL,F,"], "sex", "sum to 0.4"),
        (lambda lines: [lines[0], *(line.replace(",,", ",boom,") for line in lines[1:])], "sex", "every row is an error"),
    ],
)
def test_refusals_write_nothing(change, by, said, command, predictions, write, tmp_path):
    changed = write(change(predictions.read_text().splitlines()), "changed.csv")
    words = ("fairness", "--predictions", changed, "--by", by, "--positive", "PNEUMONIA", "--out", tmp_path / "f")
    code, _, err = command(*words)
    assert code == 4 and said in err and err.count("\n") <= 2 and not (tmp_path / "f").exists()


def test_tables_that_do_not_fit_are_refused(command, predictions, write, tmp_path):
    words = ("fairness", "--predictions", predictions, "--by", "age", "--positive", "PNEUMONIA", "--out", tmp_path / "f")
    twice = write(["image,age", "a/0.png,30", "a/0.png,31"], "twice.csv")
    code, _, err = command(*words, "--table", twice)
    assert code == 4 and "twice.csv: a/0.png has two rows" in err
    nameless = write(["scan,age", "a/0.png,30"], "nameless.csv")
    code, _, err = command(*words, "--table", nameless)
    assert code == 4 and "nameless.csv has neither of the columns id and image" in err
    apart = write(["image,age", "b/0.png,30", "b/1.png,70"], "apart.csv")
    code, _, err = command(*words, "--table", apart)
    assert code == 4 and "apart.csv has none of the 120 scans" in err


def test_a_positive_class_that_is_not_there(command, predictions, tmp_path):
    words = ("fairness", "--predictions", predictions, "--by", "sex", "--positive", "COVID", "--out", tmp_path / "f")
    code, _, err = command(*words)
    assert code == 4 and "no class 'COVID' among NORMAL, PNEUMONIA" in err
