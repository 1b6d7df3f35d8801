"""`predict` and `evaluate` from the command line: outputs, exit codes, files."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from pipeline.cli import bundle_source
from pipeline.cli.app import main
from pipeline.engine import shipped_files
from pipeline.inference.answers import CAUTION

ROOT = Path(__file__).resolve().parents[2]
INFERENCE_TESTS = Path(__file__).parents[1] / "inference"


@pytest.fixture
def bundle(tmp_path, monkeypatch) -> Path:
    monkeypatch.syspath_prepend(INFERENCE_TESTS)
    from tiny_bundle import write_bundle

    return write_bundle(tmp_path / "bundle")


@pytest.fixture
def data(tmp_path) -> Path:
    """12 X-rays and 12 slices in the test folders, two of a patient, brighter where COVID."""
    root, random = tmp_path / "data", np.random.default_rng(0)
    lines = ["image,patient_id"]
    for folder in ("X_Ray_Test", "CT_Scan_Test"):
        for label, gray in (("COVID", 120), ("Non_COVID", 60)):
            (root / folder / label).mkdir(parents=True)
            for number in range(6):
                name = f"{folder}/{label}/{number}.png"
                cv2.imwrite(str(root / name), random.integers(gray, gray + 100, (40, 40), dtype=np.uint8))
                lines.append(f"{name},{folder}-{label}-{number // 2}")
    (root / "patients.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture
def call(monkeypatch, capsys):
    """Run a command line; returns (exit code, stdout, stderr)."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def call(*words: object) -> tuple[int, str, str]:
        code = main((), [str(word) for word in words])
        return code, *capsys.readouterr()

    return call


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


XRAY, CT = "X_Ray_Test/COVID/0.png", "CT_Scan_Test/COVID/0.png"


def test_a_pair_in_json_and_in_words(bundle, data, call):
    code, out, err = call("predict", "--bundle", bundle, "--xray", data / XRAY, "--ct", data / CT, "--json")
    document = json.loads(out)
    assert code == 0 and err == "" and document["phantom"] is False
    assert [answer["modality"] for answer in document["answers"]] == ["xray", "ct", "paired"]
    code, out, _ = call("predict", "--bundle", bundle, "--xray", data / XRAY, "--ct", data / CT)
    assert code == 0 and out.rstrip().endswith(CAUTION)
    for answer in document["answers"]:
        assert f"{answer['probability']:.3f}" in out


def test_half_a_pair_and_an_unreadable_half(bundle, data, tmp_path, call):
    code, out, _ = call("predict", "--bundle", bundle, "--ct", data / CT, "--json")
    assert code == 0 and [answer["modality"] for answer in json.loads(out)["answers"]] == ["ct"]
    (tmp_path / "text.png").write_text("no picture")
    code, out, err = call("predict", "--bundle", bundle, "--ct", data / CT, "--xray", tmp_path / "text.png", "--json")
    xray, ct, paired = json.loads(out)["answers"]
    assert code == 0 and ct["probability"] is not None and paired["probability"] is None
    assert "text.png" in xray["error"] and "text.png" in err
    code, _, err = call("predict", "--bundle", bundle, "--xray", tmp_path / "text.png")
    assert code == 4 and err.startswith("error: ") and "text.png" in err


def test_heat_maps_of_a_pair(data, tmp_path, call):
    shipped = Path(__file__).resolve().parents[2] / "pretrained" / "respiratory_mtl"
    scan = next(path for path in sorted(data.rglob("*.png")))
    code, _, err = call("predict", "--bundle", shipped, "--xray", scan, "--gradcam", tmp_path / "heat")
    drawn = cv2.imread(str(tmp_path / "heat" / "xray_gradcam.png"))
    assert code == 0 and drawn.shape[:2] == cv2.imread(str(scan)).shape[:2], err
    code, _, err = call("predict", "--bundle", shipped, "--gradcam", tmp_path / "none")
    assert code == 2 and "draws over the scans" in err and not (tmp_path / "none").exists()


def test_without_scans_a_phantom_is_answered_and_said_so(bundle, call):
    code, out, _ = call("predict", "--bundle", bundle, "--json")
    document = json.loads(out)
    assert code == 0 and document["phantom"] is True and len(document["answers"]) == 3
    assert "generated pair" in call("predict", "--bundle", bundle)[1]


def test_a_table_of_pairs(bundle, data, tmp_path, call):
    (data / "broken.png").write_bytes((data / CT).read_bytes()[:300])
    table, out = data / "pairs.csv", tmp_path / "new" / "answers.csv"
    table.write_text(f"id,xray,ct,label,patient_id\n1,{XRAY},{CT},COVID,p1\n2,{XRAY},,COVID,p1\n3,{XRAY},broken.png,COVID,p1\n4,,,,\n")
    code, words, err = call("predict", "--bundle", bundle, "--csv", table, "--out", out)
    rows = rows_of(out)
    assert code == 0 and "4 failed" not in words and "2 failed" in words
    assert [(row["id"], row["modality"], bool(row["error"])) for row in rows] == [
        ("1", "xray", False), ("1", "ct", False), ("1", "paired", False), ("2", "xray", False),
        ("3", "xray", False), ("3", "ct", True), ("3", "paired", True), ("4", "", True),
    ]  # fmt: skip
    assert list(rows[0]) == ["id", "modality", "probability", "predicted", "error", "label", "patient_id",
                             "gate", "distance", "distance_threshold", "seen", "warnings"]  # fmt: skip
    assert rows[0]["label"] == "COVID" and rows[0]["patient_id"] == "p1"
    assert "2 of 6 scans have no answer" in err and "broken.png" in err
    single = json.loads(call("predict", "--bundle", bundle, "--xray", data / XRAY, "--ct", data / CT, "--json")[1])
    for row, answer in zip(rows[:3], single["answers"], strict=True):
        assert float(row["probability"]) == pytest.approx(answer["probability"], abs=1e-8)


def test_a_table_without_any_answer_exits_with_4(bundle, data, tmp_path, call):
    table, out = data / "pairs.csv", tmp_path / "answers.csv"
    table.write_text("id,xray,ct\n1,gone.png,\n")
    code, _, err = call("predict", "--bundle", bundle, "--csv", table, "--out", out)
    assert code == 4 and "None of the 1 scans" in err
    assert rows_of(out)[0]["error"]


def test_usage_that_is_refused(bundle, data, tmp_path, call):
    table = data / "pairs.csv"
    table.write_text(f"id,xray\n1,{XRAY}\n")
    before = table.read_bytes(), (data / XRAY).read_bytes()
    for target in (table, data / XRAY):
        code, _, err = call("predict", "--bundle", bundle, "--csv", table, "--out", target)
        assert code == 2 and "would overwrite its own source" in err
    assert before == (table.read_bytes(), (data / XRAY).read_bytes())
    assert call("predict", "--bundle", bundle, "--csv", table)[0] == 2
    assert call("predict", "--bundle", bundle, "--csv", table, "--out", tmp_path / "a.csv", "--xray", data / XRAY)[0] == 2
    assert call("predict", "--bundle", bundle, "--run", tmp_path)[0] == 2


def test_faults_of_bundles_and_their_exit_codes(bundle, tmp_path, call, monkeypatch):
    monkeypatch.setattr(shipped_files, "ROOT", tmp_path)
    code, _, err = call("predict")
    assert code == 3 and "pretrained/respiratory_mtl" in err and "--bundle" in err
    assert call("predict", "--bundle", tmp_path / "nowhere")[0] == 3
    content = bytearray((bundle / "ct.onnx").read_bytes())
    content[100] ^= 255
    (bundle / "ct.onnx").write_bytes(content)
    code, _, err = call("predict", "--bundle", bundle)
    assert code == 5 and "ct.onnx" in err and "SHA-256" in err and len(err.strip().splitlines()) <= 2
    (bundle / "ct.onnx").unlink()
    assert call("predict", "--bundle", bundle)[0] == 3


def test_the_default_bundle_is_used(bundle, tmp_path, call, monkeypatch):
    (tmp_path / "pretrained").mkdir()
    bundle.rename(tmp_path / "pretrained" / "respiratory_mtl")
    monkeypatch.setattr(shipped_files, "ROOT", tmp_path)
    assert call("predict", "--json")[0] == 0


def test_a_run_is_exported_once_and_again_when_its_artifacts_change(bundle, data, tmp_path, call, monkeypatch):
    """The exporter needs TensorFlow: here a stand-in copies a finished bundle."""
    import shutil

    run, exported, hashes = tmp_path / "run", [], {"a": "1"}
    run.mkdir()

    class Exporter:
        @classmethod
        def for_commands(cls, run_dir: Path) -> Exporter:
            return cls()

        def write(self, out: Path) -> Path:
            exported.append(out)
            return Path(shutil.copytree(bundle, out))

    outputs = {name: SimpleNamespace(sha256=value) for name, value in hashes.items()}
    directory = SimpleNamespace(has=lambda name: name == "heads", manifests={"s05": SimpleNamespace(outputs=outputs)})
    monkeypatch.setattr(bundle_source, "RunDirectory", lambda run_dir: directory)
    monkeypatch.setitem(sys.modules, "pipeline.export.multitask.bundle", SimpleNamespace(MultitaskExporter=Exporter))
    words = ("predict", "--run", run, "--xray", data / XRAY, "--json")
    first, second = call(*words), call(*words)
    assert first[0] == second[0] == 0 and len(exported) == 1 and "once" in first[2] and second[2] == ""
    outputs["a"].sha256 = "2"
    assert call(*words)[0] == 0
    assert len(exported) == 2 and not exported[0].exists() and exported[1].parent == run / ".cache" / "bundle" / "respiratory_mtl"
    same = json.loads(call("predict", "--bundle", bundle, "--xray", data / XRAY, "--json")[1])
    assert json.loads(second[1])["answers"] == same["answers"]


def test_evaluate_folders(bundle, data, tmp_path, call):
    out = tmp_path / "out"
    code, words, _ = call("evaluate", "--bundle", bundle, "--data", data, "--out", out)
    assert code == 0 and "12 rows, 6 COVID, 6 patients" in words
    metrics = json.loads((out / "metrics.json").read_text())
    assert set(metrics["modalities"]) == {"xray", "ct"} and metrics["variant"] == "plain"
    rows = [row for row in rows_of(out / "predictions.csv") if row["modality"] == "xray"]
    right = np.mean([row["predicted"] == row["label"] for row in rows])
    accuracy = metrics["modalities"]["xray"]["accuracy"]
    assert accuracy["value"] == pytest.approx(right) and accuracy["low"] <= right <= accuracy["high"]
    assert sum(metrics["confusion"]["ct"].values()) == 12
    for name in ("roc", "confusion", "calibration"):
        assert cv2.imread(str(out / f"{name}.png")).std() > 0
    *_, command = words.splitlines()
    assert command.split() == ["python", "run_pipeline.py", "compare", "--predictions", str(out), "OTHER", "--out", "DIR"]
    assert call("compare", "--predictions", out)[0] == 0


def test_evaluate_a_table_of_pairs_in_json(bundle, data, tmp_path, call, monkeypatch):
    monkeypatch.setattr("pipeline.cli.evaluate.multitask.MultitaskEvaluator.draw", lambda *drawn: {})
    table = tmp_path / "labelled.csv"
    lines = []
    for name in [f"{label}/{number}.png" for label in ("COVID", "Non_COVID") for number in range(6)]:
        label = name.partition("/")[0]
        lines.append(f"{name},{data}/X_Ray_Test/{name},{data}/CT_Scan_Test/{name},{label},p{name}")
    table.write_text("id,xray,ct,label,patient_id\n" + "\n".join(lines) + "\n")
    code, out, _ = call("evaluate", "--bundle", bundle, "--data", table, "--out", tmp_path / "out", "--json")
    document = json.loads(out)
    assert code == 0 and set(document["modalities"]) == {"xray", "ct", "paired"}
    assert document.pop("device") == "cpu" and document.pop("threads") >= 1
    assert document == json.loads((tmp_path / "out" / "metrics.json").read_text())
    code, out, _ = call("compare", "--predictions", tmp_path / "out", "--json")
    compared = json.loads(out)
    assert code == 0 and compared["arms"] == ["out"]
    assert compared["modalities"]["paired"]["out"] == document["modalities"]["paired"]


def test_evaluate_refuses(bundle, data, tmp_path, call):
    code, _, err = call("evaluate", "--bundle", bundle, "--data", data, "--out", data / "out")
    assert code == 2 and "never written to" in err
    classes = data / "X_Ray_Test"
    assert call("evaluate", "--bundle", bundle, "--data", classes, "--out", tmp_path / "out")[0] == 2
    for path in (classes / "COVID").iterdir():
        path.write_bytes(b"")
    words = ("evaluate", "--bundle", bundle, "--data", classes, "--modality", "xray", "--out", tmp_path / "out")
    code, _, err = call(*words)
    assert code == 4 and "6 of 12 scans have no answer (limit 5%; first: " in err
    code, _, err = call(*words, "--max-unreadable", 0.6)
    assert code == 4 and "every xray row is Non_COVID" in err


def test_predict_imports_nothing_heavy(bundle, data):
    program = (
        "import sys\nfrom pipeline.cli.app import main\n"
        f"code = main((), ['predict', '--bundle', {str(bundle)!r}, '--xray', {str(data / XRAY)!r}, '--no-gate'])\n"
        "heavy = {'tensorflow', 'keras', 'pandas', 'sklearn', 'scipy', 'matplotlib', 'onnx', 'torch'} & set(sys.modules)\n"
        "raise SystemExit(f'{code} {sorted(heavy)}' if code or heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
