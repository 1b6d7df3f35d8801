"""What the shipped bundles of X-rays say of the stored scans; run it to record the answers of newly exported ones.

``python -m tests.pretrained.shipped_answers`` from the repository's root.
"""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.data.reading.gray_reader import read_gray

ROOT = Path(__file__).resolve().parents[2]
SCANS = Path(__file__).parent / "respiratory_mtl_scans"
ANSWERS = Path(__file__).parent / "shipped_answers.json"
NAMES = ("bacterial_13", "covid_12", "normal_11", "viral_14")
NOTE = "58-year-old man with dry cough and fever for several days, suspected COVID-19."
CLASSIFIERS = ("pneumonia_binary", "pneumonia_three_class")


def scans() -> dict:
    return {name: read_gray(SCANS / f"{name}_xray.png") for name in NAMES}


def segmenter_answers() -> dict[str, dict[str, float]]:
    """Class probabilities and lung share of each scan by pretrained/radiography_unet."""
    from pipeline.inference.bundle import open_bundle

    segmenter = open_bundle(ROOT / "pretrained" / "radiography_unet")
    answers = {}
    for name, gray in scans().items():
        said = segmenter.answer(gray)
        answers[name] = {**said.probabilities, "lung_share": float(said.lung_mask.mean())}
    return answers


def classifier_answers(bundle: str) -> dict[str, dict[str, float]]:
    """Class probabilities of each scan by a classifier's bundle."""
    from pipeline.inference.bundle import open_bundle

    classifier = open_bundle(ROOT / "pretrained" / bundle)
    return {name: dict(classifier.answer(gray).probabilities) for name, gray in scans().items()}


def vision_text_answers() -> dict[str, dict[str, float]]:
    """Class probabilities by image and note, by the image alone and by the note alone."""
    from pipeline.inference.bundle import open_bundle

    predictor = open_bundle(ROOT / "pretrained" / "vision_text")
    gray = scans()["covid_12"]
    cases = {"both": (gray, NOTE), "image": (gray, None), "note": (None, NOTE)}
    return {name: dict(predictor.answer(image, note=note).probabilities) for name, (image, note) in cases.items()}


def all_answers() -> dict[str, dict[str, dict[str, float]]]:
    return {
        "radiography_unet": segmenter_answers(),
        **{name: classifier_answers(name) for name in CLASSIFIERS},
        "vision_text": vision_text_answers(),
    }


if __name__ == "__main__":
    ANSWERS.write_text(json.dumps(all_answers(), indent=1) + "\n", encoding="utf-8")
