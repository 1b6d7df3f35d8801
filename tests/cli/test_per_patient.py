"""--per patient of evaluate, classify and predict: one answer each, figures over patients, a refusal where they are unknown."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
NAMES = ("NORMAL", "PNEUMONIA")
# patient: class, and the levels of the scans; the tiny classifier calls what is brighter than 128 ill
PATIENTS = {
    "p0": ("NORMAL", (60, 70)), "p1": ("NORMAL", (80, 150, 90)), "p2": ("NORMAL", (100,)),
    "q0": ("PNEUMONIA", (190, 200)), "q1": ("PNEUMONIA", (160, 110, 100)), "q2": ("PNEUMONIA", (180,)),
}  # fmt: skip


def picture(level: int) -> np.ndarray:
    return np.clip(level + np.linspace(-8, 8, 64)[None] * np.ones((48, 1)), 0, 255).astype(np.uint8)


@pytest.fixture
def classifier(tmp_path) -> Path:
    from tiny_classifier import write_classifier

    return write_classifier(tmp_path / "bundle")


@pytest.fixture
def data(tmp_path) -> Path:
    lines = ["image,patient_id"]
    for patient, (label, levels) in PATIENTS.items():
        for place, level in enumerate(levels):
            name = f"{label}/{patient}_{place}.png"
            (tmp_path / "data" / label).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(tmp_path / "data" / name), picture(level))
            lines.append(f"{name},{patient}")
    (tmp_path / "data" / "patients.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "data"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_evaluate_judges_patients(command, classifier, data, tmp_path):
    out, words = tmp_path / "out", ("evaluate", "--bundle", classifier, "--data", data)
    code, said, _ = command(*words, "--out", out, "--per", "patient")
    assert code == 0 and "One answer a patient: the mean of the probabilities of a patient's scans." in said
    document, rows = json.loads((out / "metrics.json").read_text()), rows_of(out / "predictions.csv")
    assert document["per_patient"] == "mean" and document["images"] == document["patients"] == 6
    assert {row["image"]: (row["label"], row["scans"]) for row in rows} == {
        patient: (label, str(len(levels))) for patient, (label, levels) in PATIENTS.items()
    }
    scans = rows_of(out / "predictions_by_scan.csv")
    assert len(scans) == 12
    for row in rows:
        mine = [float(scan["prob_PNEUMONIA"]) for scan in scans if scan["patient_id"] == row["image"]]
        assert float(row["prob_PNEUMONIA"]) == pytest.approx(np.mean(mine), abs=1e-7)
    assert np.sum(document["confusion"]) == 6
    worst = tmp_path / "worst"
    assert command(*words, "--out", worst, "--per", "patient", "--per-patient-rule", "max")[0] == 0
    told = {row["image"]: row["predicted"] for row in rows_of(worst / "predictions.csv")}
    assert told["p1"] == told["q1"] == "PNEUMONIA" and told["p0"] == "NORMAL"
    assert command(*words, "--out", tmp_path / "scans")[0] == 0
    by_scan = json.loads((tmp_path / "scans" / "metrics.json").read_text())
    assert by_scan["per_patient"] is None and by_scan["images"] == 12
    assert not (tmp_path / "scans" / "predictions_by_scan.csv").exists()
    assert command("compare", "--predictions", out, worst, "--json")[0] == 0


def test_patients_that_are_unknown_are_refused_before_anything_is_written(command, classifier, data, tmp_path):
    (data / "patients.csv").unlink()
    words = ("--bundle", classifier, "--per", "patient")
    code, _, err = command("evaluate", *words, "--data", data, "--out", tmp_path / "out")
    assert code == 4 and "of 12 of 12 scans nothing says whose they are" in err and "patients.csv" in err
    assert not (tmp_path / "out" / "metrics.json").exists()
    code, _, err = command("classify", data, *words)
    assert code == 4 and "nothing says whose they are" in err
    code, _, err = command("classify", data, "--bundle", classifier, "--per-patient-rule", "max")
    assert code == 2 and "--per-patient-rule is for --per patient" in err


def test_classify_answers_patients_of_a_table_and_of_names(command, classifier, data, tmp_path):
    words = ("classify", "--bundle", classifier, "--per", "patient", "--json")
    document = json.loads(command(*words, data)[1])
    assert document["per_patient"] == "mean" and {each["image"]: each["scans"] for each in document["answers"]} == {
        patient: len(levels) for patient, (_, levels) in PATIENTS.items()
    }
    named = tmp_path / "named"
    named.mkdir()
    for name in ("person7_virus_1", "person7_virus_2", "IM-0115-0001"):
        cv2.imwrite(str(named / f"{name}.png"), picture(90))
    document = json.loads(command(*words, named)[1])
    assert {each["image"]: each["scans"] for each in document["answers"]} == {"person7": 2, "IM-0115": 1}


def test_predict_answers_patients_of_a_table_of_pairs(command, data, tmp_path):
    from tiny_bundle import write_bundle

    bundle, table, out = write_bundle(tmp_path / "pairs"), tmp_path / "pairs.csv", tmp_path / "answers.csv"
    scans = [f"data/NORMAL/{name}.png" for name in ("p0_0", "p0_1", "p1_0")]
    table.write_text("id,xray,ct,patient_id\n" + "\n".join(f"{n},{scan},,{scan[12:14]}" for n, scan in enumerate(scans)) + "\n")
    words = ("predict", "--bundle", bundle, "--csv", table, "--out", out)
    assert command(*words)[0] == 0
    by_scan = {row["id"]: float(row["probability"]) for row in rows_of(out)}
    code, said, _ = command(*words, "--per", "patient")
    assert code == 0 and "2 patients, one answer each" in said
    found = {row["id"]: float(row["probability"]) for row in rows_of(out)}
    assert found == pytest.approx({"p0": (by_scan["0"] + by_scan["1"]) / 2, "p1": by_scan["2"]}, abs=1e-7)
    table.write_text(f"id,xray,ct\n0,{scans[0]},\n")
    code, _, err = command(*words, "--per", "patient")
    assert code == 4 and "of 1 of 1 scans nothing says whose they are" in err
    code, _, err = command("predict", "--bundle", bundle, "--xray", scans[0], "--per", "patient")
    assert code == 2 and "Give --csv, with a column patient_id" in err
