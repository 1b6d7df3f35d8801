"""A bundle of three classes on X-rays alone: its graphs, its description, its card, its answers and their table."""

from __future__ import annotations

import json

import cv2
import numpy as np
import onnx
import pytest

from pipeline.cli.app import main
from pipeline.evaluation.tables.prediction_files import read_predictions
from pipeline.export.multitask.bundle import MultitaskExporter
from pipeline.inference.bundle import open_bundle
from pipeline.inference.multitask.rendering import answer_words
from tests.export.conftest import write_run

NAMES = ("Healthy", "TB, active", "Érythème")


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    place = tmp_path_factory.mktemp("three")
    write_run(place / "run", place / "data", NAMES, ("xray",))
    MultitaskExporter.of_run(place / "run").write(place / "bundle")
    return place


@pytest.fixture(scope="module")
def scans(three):
    """The run's own pixels as pictures: their answers are those that the run has stored."""
    (three / "scans").mkdir()
    pixels = np.load(three / "run" / "s01_preprocessing" / "pixels_xray_p.npy")
    for row, gray in enumerate(pixels[:3]):
        cv2.imwrite(str(three / "scans" / f"{row}.png"), gray)
    return three / "scans"


def test_the_description_and_the_graphs_tell_the_three_names(three):
    document = json.loads((three / "bundle" / "bundle.json").read_text(encoding="utf-8"))
    assert document["class_names"] == list(NAMES) and document["positive_class"] is None and document["threshold"] is None
    assert document["probability_output"] == "class_probs"
    assert list(document["modalities"]) == ["xray"] and document["paired"] is None
    assert document["parity"]["keras_max_difference"] <= 1e-4
    graph = onnx.load(three / "bundle" / "xray.onnx", load_external_data=False)
    facts = {entry.key: entry.value for entry in graph.metadata_props}
    assert json.loads(facts["class_names"]) == list(NAMES) and "positive_class" not in facts
    assert [output.name for output in graph.graph.output] == ["class_probs", "joint_features"]
    for file in (three / "bundle").iterdir():
        assert b"covid" not in file.read_bytes().lower(), file.name


def test_the_card_tells_of_x_rays_alone_and_of_every_class(three):
    card = (three / "bundle" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card.startswith("# Healthy, TB, active, Érythème on chest X-ray: adversarial variant")
    assert "None: the most probable class is named." in card and "macro AUC" in card
    for absent in ("--ct", "Pairs join", "negative class", "CT slice"):
        assert absent not in card, absent


def test_an_answer_is_what_the_run_stored(three, scans):
    opened = open_bundle(three / "bundle")
    assert opened.modalities == ("xray",)
    stored = np.load(three / "run" / "s05_classifier_head" / "probabilities_xray.npy")[0]
    for row in range(3):
        finding = opened.answer(xray=scans / f"{row}.png").findings[0]
        assert list(finding.probabilities) == list(NAMES)
        np.testing.assert_allclose(list(finding.probabilities.values()), stored[row], atol=1e-4)
        assert finding.predicted == NAMES[int(np.argmax(stored[row]))] and finding.probability is None
    answer = opened.answer(xray=scans / "0.png", ct=scans / "1.png")
    assert "no network for CT" in answer.findings[1].error
    words = answer_words(opened.bundle, answer, phantom=False)
    assert "The most probable class is named." in words and "TB, active 0." in words and "macro AUC 0.750" in words


def test_the_map_is_of_the_class_that_was_named(three, scans):
    opened = open_bundle(three / "bundle")
    finding = opened.answer(xray=scans / "0.png", methods="gradcam").findings[0]
    heat = finding.activations["gradcam"]
    assert heat.shape == (32, 32) and np.isfinite(heat).all() and 0 <= heat.min() <= heat.max() <= 1


def test_the_table_of_answers_is_read_back_by_its_names(three, scans, tmp_path, capsys):
    rows = ["id,xray,label", *(f'{row},{scans / f"{row}.png"},"{NAMES[row]}"' for row in range(3))]
    (tmp_path / "pairs.csv").write_text("\n".join(rows), encoding="utf-8")
    out = tmp_path / "answers.csv"
    words = ["predict", "--bundle", three / "bundle", "--csv", tmp_path / "pairs.csv", "--out", out, "--no-gate"]
    assert main((), [str(word) for word in words]) == 0, capsys.readouterr().err
    read = read_predictions([out]).arms["answers"]["xray"]
    assert set(read.class_names) == set(NAMES) and read.positive_class is None
    stored = np.load(three / "run" / "s05_classifier_head" / "probabilities_xray.npy")[0]
    order = [NAMES.index(name) for name in read.class_names]
    np.testing.assert_allclose(read.probabilities[0], stored[:3][:, order], atol=1e-4)


def test_without_a_scan_an_x_ray_alone_is_made_up(three, capsys):
    assert main((), ["predict", "--bundle", str(three / "bundle"), "--json"]) == 0, capsys.readouterr().err
    document = json.loads(capsys.readouterr().out)
    assert [answer["modality"] for answer in document["answers"]] == ["xray"] and document["phantom"]
