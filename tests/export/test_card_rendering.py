"""Cards say what their templates make of what they are given: nothing is left out silently, nothing given is markup."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from pipeline.export.card.rendering import render_card

PRETRAINED = Path(__file__).parents[2] / "pretrained"
BUNDLES = sorted(path.name for path in PRETRAINED.iterdir())
TEMPLATES = {"respiratory_mtl": "multitask", "radiography_unet": "segmenter"}
INTERVAL = {"value": 0.5, "low": 0.25, "high": 0.75}
TERMS = {"source": "a|b", "modality": "xray", "scans": 1234, "patients": 2, "licences": {"CC | BY": 3}, "origins": {}}


def shipped(name: str) -> tuple[dict, dict]:
    """A bundle's description and the table of its files, as the exporter had them."""
    document = json.loads((PRETRAINED / name / "bundle.json").read_text(encoding="utf-8"))
    return document, {file: entry for file, entry in document.pop("files").items() if file != "MODEL_CARD.md"}


def rendered(document: dict, files: dict, **facts) -> str:
    patients = dict.fromkeys(document.get("class_names", []), 7)
    system = document.get("system", "respiratory_mtl")
    given = {"dataset": {"leakage": []}, "data_terms": [], "extra_text": "", "recipe": {"rows": patients, "patients": patients},
             "choice": "validation chose it"}  # fmt: skip
    return render_card(TEMPLATES.get(system, system), document=document, files=files, **given | facts)


def sections(card: str) -> dict[str, list[str]]:
    """Words by heading."""
    parts = [part for part in re.split(r"(?m)^(?=#+ )", card) if part]
    return {part.splitlines()[0]: part.split() for part in parts}


@pytest.mark.parametrize("name", BUNDLES)
def test_a_shipped_bundles_description_gives_its_card_again(name):
    document, files = shipped(name)
    stored = sections((PRETRAINED / name / "MODEL_CARD.md").read_text(encoding="utf-8"))
    made = sections(rendered(document, files, extra_text="Whose they are."))
    # what the run's own files say is not in a bundle: data and, for vision and text, how many patients it was trained on
    elsewhere = {heading for heading in stored if heading.startswith("## Data")} | ({list(stored)[0]} & {
        "# COVID against Other_pneumonia from X-ray and clinical note"})  # fmt: skip
    assert list(made) == list(stored)
    assert {h: words for h, words in made.items() if h not in elsewhere} == {
        h: words for h, words in stored.items() if h not in elsewhere
    }


@pytest.mark.parametrize("name", BUNDLES)
def test_a_card_keeps_its_form_whatever_is_left_out(name):
    document, files = shipped(name)
    document["training"] = {"config": {}, "warnings": []}
    card = rendered(document, files)
    assert "\n\n\n" not in card and "not a medical device" in card and card.endswith("|\n")


def test_a_fact_that_is_missing_is_an_error():
    document, files = shipped("radiography_unet")
    with pytest.raises(UndefinedError, match="image_size"):
        rendered({name: value for name, value in document.items() if name != "image_size"}, files)


def test_what_is_given_is_text_and_bars_do_not_end_a_cell():
    document, files = shipped("pneumonia_binary")
    dataset = {"counts": {"xray": {"test": {"B": 2, "A|Z": 1000}, "train": {"B": 3}}}, "leakage": ["One."]}
    card = rendered(document, files, dataset=dataset, data_terms=[TERMS], extra_text=" By {{ us }} & <them> | all.\n")
    assert "\nBy {{ us }} & <them> | all.\n" in card
    assert "| X-ray | train | 3 B |\n| X-ray | test | 1,000 A\\|Z, 2 B |\n" in card
    assert "| a\\|b | X-ray | 1,234 | 2 | CC \\| BY (3) | not stated in the data folder |" in card
    assert "**Leakage was allowed, so the scores above are flattered:** One.\n" in card


def test_values_without_bounds_or_without_a_value():
    document, files = shipped("pneumonia_binary")
    metrics = {"accuracy": {**INTERVAL, "low": None, "high": None}, "mcc": dict.fromkeys(INTERVAL), "brier": INTERVAL}
    document["figures"] = {"abroad": {"metrics": metrics, "rows": 3, "patients": 2}, "test": {"metrics": {}}}
    card = rendered(document, files)
    assert "over patients. abroad: 3 scans, 2 patients.\n\n| metric | abroad |\n| --- | --- |\n| accuracy | 0.500 |\n" in card
    assert "| Matthews correlation | undefined |\n| Brier score (lower is better) | 0.500 [0.250, 0.750] |\n\n## Data" in card
    document["figures"] = {}
    assert "## Figures\n\n**The run recorded none.**\n\n## Data" in rendered(document, files)


def test_a_metric_is_told_as_everywhere_and_a_lone_variant_was_not_chosen():
    document, files = shipped("radiography_unet")
    card = rendered(document, files)
    assert "| macro-F1 | " in card and "| F1 of VIRAL | " in card and "| Dice of COVID | " in card
    assert "| Brier score (lower is better) | " in card and "per_class" not in card
    card = rendered(*shipped("respiratory_mtl"), choice="it is the only variant that was trained")
    assert "it is the only variant that was trained.\n" in card and "validation chose" not in card
    assert "| class-wise mean accuracy (mean of PPV and NPV) | " in card
