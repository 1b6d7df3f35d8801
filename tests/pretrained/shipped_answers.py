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
    from pipeline.inference.segmenter.bundle import load_segmenter_bundle
    from pipeline.inference.segmenter.runtimes import open_runtime
    from pipeline.inference.segmenter.segmenter import Segmenter

    bundle = load_segmenter_bundle(ROOT / "pretrained" / "radiography_unet")
    segmenter = Segmenter(bundle, open_runtime(bundle, "onnx"))
    answers = {}
    for name, gray in scans().items():
        said = segmenter.segment(gray)
        answers[name] = {**said.class_probs, "lung_share": float(said.lung_mask.mean())}
    return answers


def classifier_answers(bundle: str) -> dict[str, dict[str, float]]:
    """Class probabilities of each scan by a classifier's bundle."""
    from pipeline.inference.classifier.bundle import load_classifier_bundle
    from pipeline.inference.classifier.classifier import Classifier

    classifier = Classifier(load_classifier_bundle(ROOT / "pretrained" / bundle))
    return {name: dict(classifier.classify(gray).class_probs) for name, gray in scans().items()}


def vision_text_answers() -> dict[str, dict[str, float]]:
    """Class probabilities by image and note, by the image alone and by the note alone."""
    from pipeline.inference.vision_text.bundle import load_fusion_bundle
    from pipeline.inference.vision_text.predictor import FusionPredictor

    predictor = FusionPredictor(load_fusion_bundle(ROOT / "pretrained" / "vision_text"))
    gray = scans()["covid_12"]
    cases = {"both": (gray, NOTE), "image": (gray, None), "note": (None, NOTE)}
    return {name: dict(predictor.answer(image, note).probabilities) for name, (image, note) in cases.items()}


def all_answers() -> dict[str, dict[str, dict[str, float]]]:
    return {
        "radiography_unet": segmenter_answers(),
        **{name: classifier_answers(name) for name in CLASSIFIERS},
        "vision_text": vision_text_answers(),
    }


if __name__ == "__main__":
    ANSWERS.write_text(json.dumps(all_answers(), indent=1) + "\n", encoding="utf-8")
