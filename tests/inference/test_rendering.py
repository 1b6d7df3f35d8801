"""Answers in words and as JSON."""

from __future__ import annotations

import json

from pipeline.inference.answers import CAUTION, Answer, Finding
from pipeline.inference.bundle import open_bundle
from pipeline.inference.multitask.rendering import answer_document, answer_words
from tests.inference.tiny_bundle import write_bundle, write_description

ANSWERS = Answer((
    Finding("xray", probability=0.9876, predicted="COVID"),
    Finding("ct", error="scan.png: empty file."),
    Finding("paired", probability=0.00001, predicted="Non_COVID"),
))  # fmt: skip


def test_words_say_class_probability_figures_and_caution(bundle):
    words = answer_words(open_bundle(bundle), ANSWERS, phantom=False).splitlines()
    first = "X-ray COVID probability of COVID 0.988 (test AUC 0.900 [0.850, 0.940]; accuracy 0.900 [0.850, 0.940])"
    assert " ".join(words[0].split()) == first
    assert "no answer: scan.png: empty file." in words[1]
    assert words[2].split() == ["Paired", "Non_COVID", "probability", "of", "COVID", "<0.001"]
    assert "variant plain" in words[3] and "mean over 3 trainings" in words[4]
    assert words[-1] == CAUTION and "phantom" not in " ".join(words)


def test_the_figures_beside_an_answer_are_of_the_weights_that_gave_it(tmp_path):
    one = {"value": 0.7, "low": 0.6, "high": 0.8}
    mean = {"value": 0.9, "low": 0.85, "high": 0.94}
    figures = {"basis": "mean of 3 trainings", "test": {"xray": {"auc": mean}}, "shipped": {"xray": {"auc": one}}}
    made = write_bundle(tmp_path / "bundle")
    write_description(made, figures=figures)
    words = answer_words(open_bundle(made), ANSWERS, phantom=False)
    assert "(test AUC 0.700 [0.600, 0.800])" in words and "0.900" not in words
    assert "these very weights: one training" in words and "mean of" not in words


def test_a_phantom_is_said_first(bundle):
    assert "phantom" in answer_words(open_bundle(bundle), ANSWERS, phantom=True).splitlines()[0]


UNTOLD = {"caption": "", "threshold": None, "confidence": None, "probabilities": {}, "gate": "", "refused": False,
          "distance": None, "distance_threshold": None, "seen": None,
          "warnings": []}  # fmt: skip


def test_the_document(bundle):
    document = json.loads(json.dumps(answer_document(open_bundle(bundle), ANSWERS, phantom=False)))
    assert document == {
        "bundle": str(bundle),
        "variant": "plain",
        "class_names": ["Non_COVID", "COVID"],
        "positive_class": "COVID",
        "threshold": 0.5,
        "answers": [
            {"modality": "xray", "probability": 0.9876, "predicted": "COVID", "error": None, **UNTOLD},
            {"modality": "ct", "probability": None, "predicted": None, "error": "scan.png: empty file.", **UNTOLD},
            {"modality": "paired", "probability": 0.00001, "predicted": "Non_COVID", "error": None, **UNTOLD},
        ],
        "phantom": False,
        "warnings": [],
    }
