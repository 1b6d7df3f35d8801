"""`classify` and the evaluation of a classifier from the command line: outputs, exit codes, files."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.cli.app import build_app
from pipeline.cli.evaluate.classifier import evaluate
from pipeline.cli.evaluate.request import EvaluationRequest
from pipeline.engine.errors import DataError, UsageError
from pipeline.engine.progress import Reporter
from pipeline.inference.bundle import open_bundle

ROOT = Path(__file__).resolve().parents[2]
INFERENCE_TESTS = Path(__file__).parents[1] / "inference"


@pytest.fixture
def bundle(tmp_path, monkeypatch) -> Path:
    monkeypatch.syspath_prepend(INFERENCE_TESTS)
    from tiny_classifier import write_classifier

    return write_classifier(tmp_path / "bundle")


@pytest.fixture
def scans(tmp_path) -> Path:
    """12 children of each class, the ill brighter, two wrong; 48×80 px."""
    root, draw = tmp_path / "scans", np.random.default_rng(0)
    for number in range(24):
        label = ("NORMAL", "PNEUMONIA")[number % 2]
        bright = (number % 2) ^ (number < 2)
        folder = root / label
        folder.mkdir(parents=True, exist_ok=True)
        name = f"IM-{number:04d}-0001.png" if label == "NORMAL" else f"person{number}_virus_{number}.png"
        cv2.imwrite(str(folder / name), draw.integers(*((130, 220) if bright else (40, 120)), (48, 80), dtype=np.uint8))
    return root


def call(*words) -> None:
    build_app([]).main(args=["classify", *map(str, words)], standalone_mode=False)


def judge(bundle, data, out, max_unreadable=0.05):
    """(document, words) of `evaluate`."""
    found = evaluate(open_bundle(bundle), EvaluationRequest(data, out, None, max_unreadable, Reporter(quiet=True)))
    return found.document, found.words


def test_overlays_lie_under_the_sources_path_and_size(bundle, scans, tmp_path, capsys):
    out = tmp_path / "out"
    (scans / "NORMAL" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    before = {path: path.read_bytes() for path in scans.rglob("*.png")}
    call(scans, "--bundle", bundle, "--gradcam", "--gradcam-plus-plus", "--features", tmp_path / "f.npy", "--out", out, "--json")
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert (document["images"], document["answered"], document["failed"]) == (25, 24, 1)
    assert (document["positive_class"], document["threshold"]) == ("PNEUMONIA", 0.5)
    assert "1 of 25 images have no answer" in said.err and "broken.png" in said.err
    with (out / "predictions.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["image", "predicted", "confidence", "prob_NORMAL", "prob_PNEUMONIA", "error",
                             "gate", "distance", "distance_threshold", "seen", "warnings"]  # fmt: skip
    drawn = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png"))
    assert len(drawn) == 48 and "PNEUMONIA/person3_virus_3.png" in drawn and "NORMAL/IM-0002-0001_gradcam_plus_plus.png" in drawn
    assert cv2.imread(str(out / drawn[0])).shape == (48, 80, 3)
    assert np.load(tmp_path / "f.npy").shape == (25, 4)
    assert {path: path.read_bytes() for path in scans.rglob("*.png")} == before


def test_the_lungs_of_a_segmenter_are_measured(bundle, scans, tmp_path, capsys):
    from tiny_segmenter import write_segmenter

    unet = write_segmenter(tmp_path / "unet")
    call(scans / "PNEUMONIA", "--bundle", bundle, "--gradcam", "--lungs", unet, "--out", tmp_path / "out", "--json")
    document = json.loads(capsys.readouterr().out)
    for answer in document["answers"]:
        assert answer["lung_area"] is None or 0 < answer["lung_area"] <= 1
        assert answer["gradcam_lung_energy"] is None or 0 <= answer["gradcam_lung_energy"] <= 1
    assert document["mean_lung_energy"].keys() == {"gradcam"}
    assert "gradcam_lung_energy,lung_area" in (tmp_path / "out" / "predictions.csv").read_text().splitlines()[0]


def test_one_image_in_words(bundle, scans, capsys):
    call(scans / "PNEUMONIA" / "person3_virus_3.png", "--bundle", bundle)
    said = capsys.readouterr().out
    assert said.startswith("person3_virus_3.png: PNEUMONIA") and "named from probability 0.5 on" in said and "edical" in said


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (["{scans}", "--gradcam"], UsageError, "draws pictures"),
        (["{scans}", "--lungs", "x"], UsageError, "Add --gradcam"),
        ([], UsageError, "No image"),
        (["{scans}/absent.png"], DataError, "None of the 1 images"),
        (["{scans}/NORMAL", "--gradcam", "--out", "{scans}/NORMAL"], UsageError, "inside the data"),
        (["{scans}/NORMAL/IM-0004-0001.png", "--gradcam", "--out", "{scans}/NORMAL"], UsageError, "overwrite its own source"),
    ],
)
def test_mistakes_are_told_and_write_nothing(bundle, scans, words, error, said):
    before = {path: path.read_bytes() for path in scans.rglob("*.png")}
    with pytest.raises(error, match=said):
        call(*(word.format(scans=scans) for word in words), "--bundle", bundle)
    assert {path: path.read_bytes() for path in scans.rglob("*.png")} == before


def test_evaluation_counts_and_intervals(bundle, scans, tmp_path):
    out = tmp_path / "out"
    document, words = judge(bundle, scans, out, 0.05)
    assert document["confusion"] == [[11, 1], [1, 11]] and document["metrics"]["accuracy"]["value"] == pytest.approx(22 / 24)
    sensitivity = document["metrics"]["per_class"]["PNEUMONIA"]["sensitivity"]
    assert document["patients"] == 24 and sensitivity["value"] == pytest.approx(11 / 12)
    figures = ("confusion.png", "roc.png", "precision_recall.png")
    assert all((out / name).is_file() for name in ("predictions.csv", "metrics.json", *figures))
    assert json.loads((out / "metrics.json").read_text())["positive_class"] == "PNEUMONIA"
    assert "0.917" in words and "22 of" not in words and "24 of 24 images answered of 24 patients" in words
    header = (out / "predictions.csv").read_text().splitlines()[0]
    told = "gate,distance,distance_threshold,seen,warnings"
    assert header == f"image,predicted,confidence,prob_NORMAL,prob_PNEUMONIA,error,label,patient_id,{told}"


def test_masks_of_the_lungs_tell_what_the_classifier_reads(bundle, scans, tmp_path):
    """The tiny network reads the whole picture: what lies in a mask of its upper half is what the half holds of the map."""
    for path in scans.rglob("*.png"):
        mask = scans / "masks" / path.relative_to(scans)
        mask.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(mask), np.repeat(np.uint8([[255], [0]]), 24, axis=0) * np.ones((1, 80), np.uint8))
    (scans / "masks" / "NORMAL" / "IM-0002-0001.png").write_bytes(b"no mask")
    document, words = judge(bundle, scans, tmp_path / "out", 0.05)
    lungs = document["lungs"]
    assert list(lungs["unreadable"]) == ["NORMAL/IM-0002-0001.png"] and lungs["ablation"]["pictures"] == 23
    assert lungs["gradcam"]["area"]["value"] == pytest.approx(0.5)
    assert lungs["gradcam"]["energy"]["value"] == pytest.approx(0.5, abs=0.1)
    # half of the picture black: the ill are no longer bright
    assert lungs["ablation"]["lungs_blacked_out"]["accuracy"]["value"] < lungs["ablation"]["whole"]["accuracy"]["value"] - 0.3
    assert "of Grad-CAM lies in them" in words and "lungs black" in words


def test_the_table_of_answers_can_be_read_again(bundle, scans, tmp_path):
    from pipeline.evaluation.tables.one_arm import read_one_arm
    from pipeline.evaluation.tables.prediction_files import read_predictions

    judge(bundle, scans, tmp_path / "out", 0.05)
    found, patients, _ = read_one_arm(tmp_path / "out" / "predictions.csv", "patient_id", positive="PNEUMONIA")
    assert (found.truth == found.predicted[0]).sum() == 22 and (patients == found.patients).all()
    read = read_predictions([tmp_path / "out"])
    rows = read.arms["out"]["images"]
    assert read.systems == {"out": "classifier"} and rows.is_binary and (rows.predicted == found.predicted).all()


def test_the_bundles_threshold_is_used(bundle, scans, tmp_path):
    from tiny_classifier import describe

    describe(bundle, threshold=0.0)
    document, _ = judge(bundle, scans, tmp_path / "out", 0.05)
    assert document["confusion"] == [[0, 12], [0, 12]]


def test_too_many_unreadable_images_are_refused_and_named(bundle, scans, tmp_path):
    for path in sorted((scans / "NORMAL").glob("*.png"))[:2]:
        path.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(DataError, match="2 of 24 images have no answer"):
        judge(bundle, scans, tmp_path / "out", 0.05)
    assert ",NORMAL,IM-0002,,,,,\n" in (tmp_path / "out" / "predictions.csv").read_text()
    document, _ = judge(bundle, scans, tmp_path / "out", 0.1)
    assert len(document["unreadable"]) == 2


def test_classify_never_loads_tensorflow(bundle, scans):
    script = (
        "import sys; from pipeline.cli.app import main; assert main((), sys.argv[1:]) == 0;"
        "print({'tensorflow', 'keras', 'pandas'} & set(sys.modules))"
    )
    image = scans / "NORMAL" / "IM-0004-0001.png"
    words = [sys.executable, "-c", script, "classify", str(image), "--bundle", str(bundle), "--quiet", "--no-gate"]
    found = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "set()"


def test_what_the_head_reads_is_told(bundle, scans, tmp_path, capsys):
    """The tiny head is linear: a feature's value is its weight times its distance from the images' mean."""
    from tiny_classifier import head_of

    out = tmp_path / "out"
    (scans / "NORMAL" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    call(scans, "--bundle", bundle, "--shap", "--features", tmp_path / "f.npy", "--out", out, "--json")
    document = json.loads(capsys.readouterr().out)
    values, features = np.load(out / "shap.npy"), np.load(tmp_path / "f.npy").astype(np.float64)
    named = [answer["predicted"] for answer in document["answers"]]
    answered = np.array([name is not None for name in named])
    columns = head_of(2).astype(np.float64)[:, [("NORMAL", "PNEUMONIA").index(name) for name in named if name]].T
    assert values.shape == (25, 4) and values.dtype == np.float32 and np.isnan(values[~answered]).all()
    np.testing.assert_allclose(values[answered], columns * (features[answered] - features[answered].mean(axis=0)), atol=1e-4)
    shap = document["shap"]
    assert shap == json.loads((out / "shap.json").read_text()) and shap["method"] == "exact"
    assert shap["background"] == "features of the 24 images" and len(shap["images"]) == 24
    for place, image in zip(np.flatnonzero(answered), shap["images"], strict=True):
        expected = shap["classes"][image["class"]]["expected_logit"]
        assert image["logit"] - expected == pytest.approx(float(values[place].sum()), abs=1e-4)
    assert sum(told["images"] for told in shap["classes"].values()) == 24
    assert cv2.imread(str(out / "shap.png")).std() > 0


def test_shap_in_words_and_of_one_image(bundle, scans, tmp_path, capsys):
    call(scans / "PNEUMONIA" / "person3_virus_3.png", "--bundle", bundle, "--shap", "--out", tmp_path)
    assert "What the head reads for PNEUMONIA: features" in capsys.readouterr().out
    assert "0 for every feature" in json.loads((tmp_path / "shap.json").read_text())["background"]


def test_an_image_called_as_what_shap_writes_is_refused(bundle, scans, tmp_path):
    (scans / "NORMAL" / "IM-0002-0001.png").rename(scans / "shap.png")
    with pytest.raises(UsageError, match="Two outputs have one name"):
        call(scans, "--bundle", bundle, "--shap", "--gradcam", "--out", tmp_path / "out")
    with pytest.raises(UsageError, match="Say where with --out") as caught:
        call(scans, "--bundle", bundle, "--shap")
    assert "--shap" in caught.value.message
