"""`classify` with a bundle of vision and text: an image, a note, or both."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipeline.cli.app import build_app
from pipeline.engine.errors import DataError, UsageError
from tests.pictures import shaded

NAMES = ["other", "COVID"]
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "fever", "cough", "and", "of", "the", "with", "a"]


def save(path: Path, nodes, inputs, outputs, stored) -> None:
    doors = [
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in side.items()] for side in (inputs, outputs)
    ]
    graph = helper.make_graph(nodes, path.stem, *doors, [numpy_helper.from_array(value, name) for name, value in stored.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"class_names": json.dumps(NAMES), "positive_class": "COVID"})
    onnx.checker.check_model(model)
    onnx.save(model, path)


@pytest.fixture
def bundle(tmp_path) -> Path:
    """COVID rises with the picture's brightness, and with each `fever` of the note."""
    from tokenizers.implementations import BertWordPieceTokenizer

    folder, number, whole = tmp_path / "bundle", TensorProto.FLOAT, TensorProto.INT32
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(PIECES))
    BertWordPieceTokenizer(str(folder / "vocab.txt")).save(str(folder / "tokenizer.json"))
    level = [helper.make_node("ReduceMean", ["image"], ["level"], axes=[1, 2], keepdims=1),
             helper.make_node("Reshape", ["level", "shape"], ["patches"])]  # fmt: skip
    save(folder / "image.onnx", level, {"image": (number, [None, 32, 32, 1])}, {"patches": (number, [None, 1, 1])},
         {"shape": np.array([-1, 1, 1], np.int64)})  # fmt: skip
    table = np.array([[float(piece == "fever")] for piece in PIECES], np.float32)
    words = [helper.make_node("Gather", ["table", "note_ids"], ["token_features"])]
    save(folder / "note.onnx", words, {"note_ids": (whole, [None, None]), "note_mask": (whole, [None, None])},
         {"token_features": (number, [None, None, 1])}, {"table": table})  # fmt: skip
    sums = [helper.make_node("ReduceSum", [name, "axes"], [f"{name}_sum"], keepdims=0) for name in ("patches", "tokens")]
    joint = [
        *sums,
        helper.make_node("Add", ["patches_sum", "tokens_sum"], ["evidence"]),
        helper.make_node("Sub", ["evidence", "edge"], ["above"]),
        helper.make_node("Mul", ["above", "gain"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["classification"], axis=1),
    ]
    # which halves there are plays no part here, yet the graph must have the doors
    inputs = {"patches": (number, [None, 1, 1]), "image_present": (number, [None, 1]), "tokens": (number, [None, None, 1]),
              "note_mask": (number, [None, None])}  # fmt: skip
    save(folder / "network.onnx", joint, inputs, {"classification": (number, [None, 2])},
         {"axes": np.array([1], np.int64), "edge": np.full((1, 1), 0.5, np.float32),
          "gain": np.array([[-8.0, 8.0]], np.float32)})  # fmt: skip
    files = {path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
             for path in folder.iterdir()}  # fmt: skip
    (folder / "bundle.json").write_text(json.dumps({
        "schema_version": 1, "system": "vision_text", "class_names": NAMES, "positive_class": "COVID", "threshold": 0.5,
        "arm": "gated", "network": "network.onnx", "files": files,
        "image": {"file": "image.onnx", "profile": {"modality": "xray", "size": 32}, "patches": 1, "width": 1},
        "note": {"file": "note.onnx", "tokenizer": "tokenizer.json", "window": 8, "width": 1, "mask_words": ["covid"]},
    }))  # fmt: skip
    return folder


@pytest.fixture
def scan(tmp_path) -> Path:
    cv2.imwrite(str(tmp_path / "dark.png"), shaded(40, 40, 60))
    return tmp_path / "dark.png"


def call(*words) -> None:
    build_app([]).main(args=["classify", *map(str, words)], standalone_mode=False)


def test_image_note_and_both(bundle, scan, tmp_path, capsys):
    call(scan, "--bundle", bundle, "--json")
    alone = json.loads(capsys.readouterr().out)["answers"][0]
    call(scan, "--bundle", bundle, "--note", "fever and covid", "--json", "--out", tmp_path / "out")
    both = json.loads(capsys.readouterr().out)["answers"][0]
    call("--bundle", bundle, "--note", "fever and covid", "--json")
    note = json.loads(capsys.readouterr().out)["answers"][0]
    assert (alone["predicted"], both["predicted"], note["predicted"]) == ("other", "COVID", "COVID")
    assert [answer["used"] for answer in (alone, both, note)] == ["image", "image and note", "note"]
    assert both["masked"].lower() == "covid" and alone["masked"] == "" and (alone["image"], note["image"]) == ("dark.png", "")
    with (tmp_path / "out" / "predictions.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row["image"] == "dark.png" and row["predicted"] == "COVID" and row["masked"].lower() == "covid" and row["error"] == ""


def test_words_tell_what_was_masked_and_cut_off(bundle, scan, capsys):
    call(scan, "--bundle", bundle, "--note", "covid and cough and cough and cough and cough and fever")
    said = capsys.readouterr().out
    assert "taken out of the note: covid" in said.lower() and "its end was cut off" in said and "(by image and note)" in said


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (["{scan}", "{scan}/../other.png", "--note", "fever"], UsageError, "One note and 2 images"),
        (["{scan}", "--note", "fever", "--gradcam-plus-plus", "--out", "{out}"], UsageError, "does not draw gradcam_plus_plus"),
        (["--note", "covid"], DataError, "Nothing is left of the note"),
        ([], UsageError, "No image"),
    ],
)
def test_mistakes_are_told(bundle, scan, tmp_path, words, error, said):
    cv2.imwrite(str(tmp_path / "other.png"), shaded(40, 40, 60))
    paths = {"scan": scan, "out": tmp_path / "out"}
    with pytest.raises(error, match=said):
        call(*(word.format(**paths).replace("dark.png/../", "") for word in words), "--bundle", bundle)


def test_a_note_needs_a_bundle_that_reads_notes(scan, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "inference")
    from tiny_classifier import write_classifier

    with pytest.raises(UsageError, match="reads an image, not a note"):
        call(scan, "--bundle", write_classifier(tmp_path / "tiny"), "--note", "fever")


def test_a_heat_map_is_drawn_over_the_image_of_a_case(bundle, scan, tmp_path):
    out = tmp_path / "drawn"
    call(scan, "--note", "fever", "--gradcam", "--out", out, "--bundle", bundle)
    (drawn,) = (cv2.imread(str(path)) for path in out.rglob("*.png"))
    assert drawn.shape == (40, 40, 3) and (drawn[-1] > 70).any()  # a colour over grays of 52 to 68
    with pytest.raises(UsageError, match="A bundle of vision_text draws gradcam"):
        call(scan, "--gradcam-plus-plus", "--out", out, "--bundle", bundle)


def test_cases_are_judged_with_their_notes_and_without_their_lungs(bundle, tmp_path):
    """Brightness 0.4 alone is below the edge of 0.5; a note with a fever lifts it above."""
    from pipeline.cli.evaluate.classifier import evaluate
    from pipeline.cli.evaluate.request import EvaluationRequest
    from pipeline.engine.progress import Reporter
    from pipeline.inference.bundle import open_bundle

    rows = ["image,label,note,patient_id,mask"]
    for number in range(8):
        cv2.imwrite(str(tmp_path / f"{number}.png"), shaded(40, 40, 100))
        label, note = ("COVID", "with fever") if number % 2 else ("other", "a cough")
        rows.append(f"{number}.png,{label},{note if number else ''},p{number},mask.png")
    mask = np.zeros((40, 40), np.uint8)
    mask[:20] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    (tmp_path / "cases.csv").write_text("\n".join(rows))
    request = EvaluationRequest(tmp_path / "cases.csv", tmp_path / "judged", None, 0.05, Reporter(quiet=True))
    found = evaluate(open_bundle(bundle), request)
    document, words = found.document, found.words
    assert document["system"] == "vision_text" and document["metrics"]["accuracy"]["value"] == 1.0
    lungs = document["lungs"]
    assert lungs["gradcam"]["energy"]["value"] == pytest.approx(0.5, abs=0.03) and "gradcam_plus_plus" not in lungs
    assert lungs["ablation"]["lungs_blacked_out"]["accuracy"]["value"] == 1.0  # the note decides with any picture
    assert "of Grad-CAM lies in them" in words
    table = list(csv.DictReader((tmp_path / "judged" / "predictions.csv").open()))
    assert [row["used"] for row in table[:2]] == ["image", "image and note"]


def test_no_feature_of_an_image_has_a_share_where_a_note_is_read_too(bundle, scan, tmp_path):
    with pytest.raises(UsageError, match="joins what it reads .image and note."):
        call(scan, "--note", "fever", "--shap", "--out", tmp_path / "out", "--bundle", bundle)
    assert not (tmp_path / "out").exists()


def test_a_note_does_not_answer_for_a_picture_that_is_refused(bundle, shipped_gate, command, tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "slice.png"), shipped_gate.far(1))
    words = ("classify", tmp_path / "slice.png", "--note", "fever", "--bundle", bundle)
    code, _, err = command(*words)
    assert code == 4 and "looks like a CT slice" in err
    assert command(*words, "--no-gate")[0] == 0
