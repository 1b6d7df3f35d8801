"""The report of s06 says how its variant came about, in people's words."""

import numpy as np
import pytest

from pipeline.evaluation.comparison.alignment_words import PROBE_TITLES
from pipeline.evaluation.comparison.document import build_comparison
from pipeline.evaluation.comparison.tests import ComparisonSettings
from pipeline.evaluation.comparison.words import choice_words
from pipeline.evaluation.tables.rows import Rows
from pipeline.training.multitask.reports.significance_report import significance_report

PROBED = {
    "probes": dict.fromkeys(PROBE_TITLES, {"balanced_accuracy": {"value": 0.9, "low": 0.8, "high": 1.0}}),
    "strongest": "linear", "floor": 0.5,
}  # fmt: skip
AUC = {"value": 0.7, "low": 0.625, "high": 0.75}
SOURCE = {"variant": "plain", "modality": "xray", "source": "", "false_positive_rate": None, "sensitivity": None}
DATASET = {"class_names": ["COVID", "Non_COVID"], "positive_class": "COVID", "leakage": []}


def report(*arms):
    truth, answers = np.arange(20) % 2, np.linspace(0, 1, 20)
    tables = {arm: {"xray": Rows.binary(truth, [answers, answers[::-1]])} for arm in arms}
    document = build_comparison(tables, settings=ComparisonSettings(resamples=20, permutations=20)) | {"chosen": arms[0]}
    parts = dict.fromkeys(("valid", "valid_by_modality", "test"), PROBED) | {"diagnosis": {"xray": AUC, "ct": AUC}}
    return significance_report(document, [SOURCE], DATASET, {"raw": PROBED}, dict.fromkeys(arms, parts))


def test_a_variant_that_was_trained_alone_was_not_chosen():
    text = report("plain")
    assert text.startswith("# Metrics of the plain variant\n")
    assert "**plain** is the only variant that was trained; no choice of this run" in text
    assert "alidation chose" not in text and "With and without" not in text


def test_what_hiding_costs_is_told_by_modality():
    text = report("plain", "adversarial")
    assert "| features | X-ray | CT |" in text and text.count("0.700 [0.625, 0.750] | 0.700 [0.625, 0.750] |") == 2


def test_of_two_variants_validation_chose():
    text = report("plain", "adversarial")
    assert text.startswith("# With and without adversarial training\n") and "Validation chose **plain**; no choice" in text


def test_metrics_and_tests_are_told_in_words():
    text = report("plain", "adversarial")
    for words in ("| AUC ", "| Brier score ", "| Matthews correlation ", "| class-wise mean accuracy ", "| McNemar mid-p "):
        assert words in text
    assert "| plain   | X-ray    | unnamed | no such scan    | no such scan |" in text
    told = [line for line in text.splitlines() if line.startswith("|")]
    assert told and not any("_" in line for line in told)


@pytest.mark.parametrize(("candidates", "said"), [
    (["plain"], "plain is the only variant that was trained"),
    (["plain", "adversarial"], "validation chose plain"),
    ({"plain": 0.9, "a": 0.8, "b": 0.7}, "validation chose plain"),
])  # fmt: skip
def test_how_an_arm_came_to_be_the_runs(candidates, said):
    assert choice_words(candidates, "plain") == said
