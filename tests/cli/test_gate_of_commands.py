"""The gate before every command that asks a bundle: what is refused, what is said, what is marked, and the exit codes."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
REPOSITORY = Path(__file__).resolve().parents[2]
REAL = REPOSITORY.parent / "shared" / "data"


@pytest.fixture
def pictures(shipped_gate, tmp_path) -> dict[str, Path]:
    """What the tiny gate in the shipped one's place takes for an X-ray, for a CT slice, and for neither."""
    (tmp_path / "pictures").mkdir()
    made = {"xray": shipped_gate.near(1), "ct": shipped_gate.far(1), "neither": shipped_gate.neither(1)}
    paths = {name: tmp_path / "pictures" / f"{name}.png" for name in made}
    for name, pixels in made.items():
        cv2.imwrite(str(paths[name]), pixels)
    return paths


@pytest.fixture
def pair_bundle(tmp_path) -> Path:
    from tiny_bundle import write_bundle

    return write_bundle(tmp_path / "pairs")


@pytest.fixture
def classifier(tmp_path) -> Path:
    from tiny_classifier import write_classifier

    return write_classifier(tmp_path / "classifier")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_predict_refuses_the_half_that_is_in_the_wrong_place_and_answers_the_other(command, pictures, pair_bundle):
    code, out, err = command("predict", "--bundle", pair_bundle, "--xray", pictures["ct"], "--ct", pictures["ct"], "--json")
    xray, ct, _ = json.loads(out)["answers"]
    assert code == 0 and xray["predicted"] is None and ct["predicted"] is not None
    assert (xray["gate"], ct["gate"]) == ("ct", "ct")
    assert "warning: no answer for xray" in err and "looks like a CT slice of the chest: give it as --ct" in err


def test_predict_with_both_halves_swapped_has_no_answer(command, pictures, pair_bundle):
    code, out, err = command("predict", "--bundle", pair_bundle, "--xray", pictures["ct"], "--ct", pictures["xray"])
    assert code == 4 and not out
    assert "give it as --ct" in err and "give it as --xray" in err and "--no-gate answers what the gate refuses" in err


def test_predict_without_the_gate_answers_and_marks(command, pictures, pair_bundle):
    words = ("predict", "--bundle", pair_bundle, "--xray", pictures["neither"], "--json")
    assert command(*words)[0] == 4
    code, out, err = command(*words, "--no-gate")
    (answer,) = json.loads(out)["answers"]
    assert code == 0 and answer["gate"] == "not asked" and answer["predicted"] and "the gate was not asked" in err


def test_predict_without_a_scan_answers_its_own_pair_and_says_that_no_gate_looked(command, shipped_gate, pair_bundle):
    code, out, err = command("predict", "--bundle", pair_bundle)
    assert code == 0 and "generated pair" in out and "the gate was not asked" in out and "warning" not in err
    answers = json.loads(command("predict", "--bundle", pair_bundle, "--json")[1])["answers"]
    assert [answer["gate"] for answer in answers] == ["not asked", "not asked", ""]


def test_a_table_names_what_is_refused_and_answers_the_rest(command, pictures, pair_bundle, tmp_path):
    table, out = tmp_path / "pairs.csv", tmp_path / "answers.csv"
    lines = [f"1,{pictures['xray']},{pictures['ct']}", f"2,{pictures['ct']},{pictures['ct']}", f"3,{pictures['neither']},"]
    table.write_text("id,xray,ct\n" + "\n".join(lines) + "\n")
    code, _, err = command("predict", "--bundle", pair_bundle, "--csv", table, "--out", out)
    assert code == 0 and "2 of 5 scans have no answer (2 refused by the gate)" in err
    assert [(row["id"], row["modality"], row["gate"], bool(row["error"])) for row in rows_of(out)] == [
        ("1", "xray", "xray", False), ("1", "ct", "ct", False), ("1", "paired", "", False),
        ("2", "xray", "ct", True), ("2", "ct", "ct", False), ("2", "paired", "", True), ("3", "xray", "neither", True),
    ]  # fmt: skip


def test_classify_refuses_ct_and_pictures_and_answers_the_rest(command, pictures, classifier, tmp_path):
    words = ("classify", pictures["xray"].parent, "--bundle", classifier, "--out", tmp_path / "out", "--json")
    code, out, err = command(*words)
    told = {answer["image"]: answer for answer in json.loads(out)["answers"]}
    assert code == 0 and "2 of 3 images have no answer (2 refused by the gate)" in err
    assert told["xray.png"]["predicted"] and told["xray.png"]["gate"] == "xray"
    assert "this bundle reads chest X-rays" in told["ct.png"]["error"] and told["neither.png"]["gate"] == "neither"
    assert [row["gate"] for row in rows_of(tmp_path / "out" / "predictions.csv")] == ["ct", "neither", "xray"]
    assert command("classify", pictures["ct"], "--bundle", classifier)[0] == 4
    code, out, err = command(*words[:-3], "--out", tmp_path / "unasked", "--json", "--no-gate")
    assert code == 0 and {answer["gate"] for answer in json.loads(out)["answers"]} == {"not asked"}


def test_evaluate_answers_all_and_gives_figures_without_what_would_be_refused(command, shipped_gate, classifier, tmp_path):
    chance = np.random.default_rng(3)
    for label, level in (("NORMAL", -25), ("PNEUMONIA", 0)):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(8):
            pixels = shipped_gate.near(int(chance.integers(100))).astype(int) + level
            if number == 0:
                pixels = shipped_gate.far(1)
            cv2.imwrite(str(tmp_path / "data" / label / f"{number}.png"), np.clip(pixels, 0, 255).astype(np.uint8))
    words = ("evaluate", "--bundle", classifier, "--data", tmp_path / "data", "--out")
    code, out, err = command(*words, tmp_path / "out", "--json")
    assert code == 0, err
    document = json.loads(out)
    gate = document["gate"]
    assert gate["asked"] and gate["refused"] == {"NORMAL/0.png": {"xray": "ct"}, "PNEUMONIA/0.png": {"xray": "ct"}}
    assert sum(document["support"].values()) == 16 and sum(gate["without_refused"]["support"].values()) == 14
    assert gate["without_refused"]["metrics"]["accuracy"]["value"] is not None
    assert "The gate would have refused 2 of 16" in command(*words, tmp_path / "words")[1]
    unasked = json.loads(command(*words, tmp_path / "unasked", "--json", "--no-gate")[1])
    assert unasked["gate"] == {"asked": False, "refused": {}, "without_refused": None}
    assert unasked["metrics"] == document["metrics"]


def test_validate_tells_the_kinds_and_what_they_should_be(command, pictures):
    folder = pictures["xray"].parent
    found = json.loads(command("validate", folder, "--json")[1])
    assert [(row["kind"], row["valid"]) for row in found] == [("ct", False), ("neither", False), ("xray", True)]
    found = json.loads(command("validate", folder, "--json", "--modality", "ct")[1])
    assert [(row["kind"], row["valid"]) for row in found] == [("ct", True), ("neither", False), ("xray", False)]


@pytest.mark.realdata
@pytest.mark.parametrize("bundle", ["pneumonia_binary", "pneumonia_three_class", "vision_text", "radiography_unet"])
def test_a_real_slice_and_flat_pictures_are_no_xrays_to_a_shipped_bundle(command, undo_open_gate, bundle, tmp_path):
    slices = sorted((REAL / "ct_covidct").rglob("*.jpg"))[:6] + sorted((REAL / "ct_covidct").rglob("*.png"))[:6]
    verb = ("segment", "--out", tmp_path / "out") if bundle == "radiography_unet" else ("classify",)
    flat = []
    for level in (0, 255):
        flat.append(tmp_path / f"{level}.png")
        cv2.imwrite(str(flat[-1]), np.full((512, 512), level, np.uint8))
    code, _, err = command(*verb, *slices, *flat, "--bundle", REPOSITORY / "pretrained" / bundle)
    assert code == 4 and f"None of the {len(slices) + 2} images has an answer" in err


@pytest.mark.realdata
def test_real_scans_in_each_others_place(command, undo_open_gate):
    slice_, xray = next((REAL / "ct_covidct").rglob("*.jpg")), next((REAL / "cxr_nih").rglob("*.jpg"))
    code, _, err = command("predict", "--xray", slice_, "--ct", xray)
    assert code == 4 and "looks like a CT slice of the chest: give it as --ct" in err and "give it as --xray" in err
    answers = json.loads(command("predict", "--xray", xray, "--ct", slice_, "--json")[1])["answers"]
    assert all(answer["predicted"] for answer in answers) and [a["gate"] for a in answers] == ["xray", "ct", ""]
    assert all(0 < answer["distance"] < answer["distance_threshold"] for answer in answers[:2])


def as_dicom(path: Path, gray: np.ndarray, modality: str) -> Path:
    """A picture as a DICOM object; of a CT, with the values that its lung window shows as that picture."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "data"))
    from dicom_objects import dicom_bytes

    if modality == "CT":
        stored = np.rint(gray / 255 * 1500 - 1350).astype(np.int16)
        elements: dict[str, object] = {"RescaleSlope": 1, "RescaleIntercept": 0}
    else:
        stored, elements = gray.astype(np.uint16) * 16, {"WindowCenter": 2048, "WindowWidth": 4096}
    path.write_bytes(dicom_bytes(stored, modality, **elements))
    return path


@pytest.mark.realdata
def test_dicom_objects_in_the_wrong_place(command, undo_open_gate, tmp_path):
    from pipeline.data.reading.gray_reader import read_gray

    slice_, xray = next((REAL / "ct_covidct").rglob("*.jpg")), next((REAL / "cxr_nih").rglob("*.jpg"))
    ct, dx = as_dicom(tmp_path / "ct.dcm", read_gray(slice_), "CT"), as_dicom(tmp_path / "dx.dcm", read_gray(xray), "DX")
    assert command("predict", "--xray", dx, "--ct", ct)[0] == 0
    for words, said in (
        (("predict", "--xray", ct), "give it as --ct"),
        (("predict", "--ct", dx), "give it as --xray"),
        (("classify", ct), "this bundle reads chest X-rays"),
        # What the header says and what is seen do not fit each other.
        (("classify", as_dicom(tmp_path / "odd.dcm", read_gray(xray), "CT")), "its header speaks of a CT slice of the chest"),
        (("predict", "--ct", as_dicom(tmp_path / "odder.dcm", read_gray(slice_), "DX")), "its header speaks of a chest X-ray"),
    ):
        code, _, err = command(*words)
        assert code == 4 and said in err, (words, err)
        assert command(*words, "--no-gate")[0] == 0
