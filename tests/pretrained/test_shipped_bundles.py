"""The committed bundles answer as they did when they were committed, fit the repository, and say what they are."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SPEC = importlib.util.spec_from_file_location("shipped_answers", HERE / "shipped_answers.py")
shipped = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(shipped)
STORED = json.loads(shipped.ANSWERS.read_text(encoding="utf-8"))
LIMITS_MB = {"radiography_unet": 30, "pneumonia_binary": 20, "pneumonia_three_class": 20, "vision_text": 45}
TOLERANCE = 2e-3


def same(found: dict, stored: dict) -> None:
    assert found.keys() == stored.keys()
    for name, answer in stored.items():
        assert found[name] == pytest.approx(answer, abs=TOLERANCE), name


def test_the_segmenter_answers_as_stored():
    same(shipped.segmenter_answers(), STORED["radiography_unet"])


@pytest.mark.parametrize("name", shipped.CLASSIFIERS)
def test_a_classifier_answers_as_stored(name):
    same(shipped.classifier_answers(name), STORED[name])


def test_vision_and_text_answer_as_stored():
    same(shipped.vision_text_answers(), STORED["vision_text"])


@pytest.mark.parametrize(("name", "limit"), LIMITS_MB.items())
def test_a_bundle_fits_and_its_card_speaks_of_figures_terms_and_limits(name, limit):
    folder = shipped.ROOT / "pretrained" / name
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= limit * 1e6
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8").lower()
    for said in ("[", "licen", "not a medical device"):
        assert said in card, said
