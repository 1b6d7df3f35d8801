"""The committed bundle gives the answers it gave when it was committed, and its card speaks of what is shipped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.data.reading.gray_reader import read_gray
from pipeline.inference.bundle import open_bundle

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "pretrained" / "respiratory_mtl"
SCANS = Path(__file__).parent / "respiratory_mtl_scans"
STORED = json.loads((Path(__file__).parent / "respiratory_mtl_answers.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def predictor():
    return open_bundle(BUNDLE)


@pytest.mark.parametrize("stored", STORED, ids=lambda stored: stored["pair"])
def test_the_bundle_answers_as_stored(predictor, stored):
    """The phantoms are stored: their last gray level depends on the processor, and the X-ray's answer on that."""
    xray, ct = (read_gray(SCANS / f"{stored['pair']}_{modality}.png") for modality in ("xray", "ct"))
    answers = {a.modality: a.probability for a in predictor.answer(xray=xray, ct=ct).findings}
    assert answers == pytest.approx(stored["probabilities"], abs=1e-3)


def test_the_bundle_fits_the_repository():
    sizes = {path.name: path.stat().st_size for path in BUNDLE.rglob("*") if path.is_file()}
    assert sum(sizes.values()) <= 60e6
    assert max(sizes.values()) <= 30 * 2**20


def test_the_card_states_figures_with_intervals_terms_and_limits():
    card = (BUNDLE / "MODEL_CARD.md").read_text(encoding="utf-8").lower()
    for said in ("auc", "[", "licen", "not a medical device", "shuffled", "cxr_ieee_other"):
        assert said in card
