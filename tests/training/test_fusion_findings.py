"""When a fusion may be called better than both of its halves, and what a note gives away without a picture."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluation.comparison.tests import ComparisonSettings
from pipeline.evaluation.tables.resplits import Resplits
from pipeline.evaluation.tables.rows import Rows
from pipeline.training.vision_text.reports.fusion_findings import WHAT, better_than_both, fusion_document
from pipeline.training.vision_text.reports.note_audit import label_shares, out_of_fold, probe_notes, probe_numbers

HALVES = ("image_only", "text_only")


def compare(strengths, patients=160):
    """A comparison of arms whose scores are the label times a strength, plus noise."""
    draw = np.random.default_rng(4)
    labels = np.arange(patients) % 2
    ids = np.array([f"p{row}" for row in range(patients)])
    predictions, folds = {}, {}
    for arm, strength in strengths.items():
        scores = strength * labels + draw.normal(size=(2, patients))
        predictions[arm] = {WHAT: Rows.binary(labels, 1 / (1 + np.exp(-scores)), ids, ids)}
        folds[arm] = {WHAT: 0.5 + strength / 10 + draw.normal(0, 0.01, (10, 1))}
    settings = ComparisonSettings(resamples=200, permutations=400, seed=1)
    fused = [arm for arm in strengths if arm not in HALVES]
    return fusion_document(predictions, Resplits(("auc",), folds, 0.25), fused, HALVES, settings)


@pytest.fixture(scope="module")
def document():
    return compare({"image_only": 0.3, "text_only": 0.5, "gated": 3.5, "concatenation": 0.4})


def entry(document, arm):
    return next(entry for entry in document["better_than_both"] if entry["arm"] == arm)


def test_a_clear_gain_over_both_is_shown(document):
    found = entry(document, "gated")
    assert found["shown"] == {"clustered_permutation": True, "corrected_resampled_t": True}
    assert "better than both halves by both tests" in found["sentence"]


def test_no_gain_is_an_honest_not_shown(document):
    found = entry(document, "concatenation")
    assert not any(found["shown"].values())
    assert "not shown" in found["sentence"]


def test_better_than_one_half_alone_is_not_better_than_both():
    found = entry(compare({"image_only": 0.1, "text_only": 3.5, "gated": 3.5}), "gated")
    assert found["gain"]["image_only"]["value"] > 0.2
    assert not any(found["shown"].values())


def test_worse_than_a_half_is_never_shown_however_small_its_p():
    found = entry(compare({"image_only": 0.1, "text_only": 5.0, "gated": 1.0}), "gated")
    assert found["gain"]["text_only"]["value"] < 0
    assert not any(found["shown"].values())


def test_the_p_of_both_is_the_larger_one_adjusted_over_the_arms():
    tests = [
        {"a": half, "b": arm, "test": test, "p": p, "difference": {"value": 0.1, "low": 0.0, "high": 0.2}}
        for arm, low, high in (("x", 0.001, 0.02), ("y", 0.002, 0.01))
        for half, p in zip(HALVES, (low, high), strict=True)
        for test in ("clustered_permutation", "corrected_resampled_t")
    ]
    found = {e["arm"]: e for e in better_than_both(tests, ("x", "y"), HALVES, 0.05)}
    assert found["x"]["p"]["clustered_permutation"] == 0.02
    assert found["x"]["p_adjusted"]["clustered_permutation"] == pytest.approx(0.02)
    assert found["y"]["p_adjusted"]["clustered_permutation"] == pytest.approx(0.02)


def test_only_auc_is_tested_and_controls_stay_described(document):
    assert {test["metric"] for test in document["tests"]} == {"auc"}
    assert set(document["modalities"][WHAT]) == {"image_only", "text_only", "gated", "concatenation"}


def notes_of(labels, telling, plain):
    return [f"{telling if label else plain} and fever, day {row % 7}" for row, label in enumerate(labels)]


def test_a_telling_word_is_found_and_named():
    labels = np.arange(60) % 2
    given = (labels, np.arange(60).astype(str), np.arange(60) // 2 % 5, 100, 0)
    found = probe_notes(notes_of(labels, "smell lost", "lobe dense"), *given)
    assert found["auc"]["value"] == 1
    assert {"smell", "lost"} <= set(found["top_words"]["positive"])
    assert {"lobe", "dense"} <= set(found["top_words"]["negative"])


def test_a_number_that_tells_nothing_scores_as_chance():
    draw, labels = np.random.default_rng(0), np.arange(200) % 2
    given = (labels, np.arange(200).astype(str), np.arange(200) // 2 % 5, 100, 0)
    assert 0.35 < probe_numbers(draw.normal(size=(200, 1)), *given)["auc"]["value"] < 0.65
    assert probe_numbers(labels[:, None] + 0.0, *given)["auc"]["value"] == 1


def test_no_row_is_judged_by_what_was_fitted_on_it():
    seen = []
    out_of_fold(np.array([0, 1, 1, 0]), lambda train, test: seen.append((set(train), set(test))) or np.zeros(len(test)))
    assert seen == [({1, 2}, {0, 3}), ({0, 3}, {1, 2})]


def test_shares_are_of_each_class():
    assert label_shares(np.array([1, 0, 1, 1], bool), np.array([1, 1, 0, 0])) == {"positive": 0.5, "negative": 1.0}
