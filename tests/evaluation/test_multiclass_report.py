"""The report of one classifier and the text of a comparison hold the numbers of their parts."""

import json

import numpy as np
import pytest

from pipeline.evaluation.comparison.multiclass_comparison import compare_classifiers
from pipeline.evaluation.comparison.multiclass_report import classifier_report, comparison_text, report_text
from pipeline.evaluation.comparison.tests import ComparisonSettings
from pipeline.evaluation.figures.multiclass import classifiers_figure
from pipeline.evaluation.statistics.multiclass_intervals import multiclass_intervals

THREE = ("NORMAL", "BACTERIAL", "VIRAL")


@pytest.fixture
def rows():
    generator = np.random.default_rng(0)
    truth = np.arange(90) % 3
    logits = 1.5 * np.eye(3)[truth] + generator.normal(size=(90, 3))
    return truth, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), np.arange(90) // 2


def test_report(rows):
    truth, probabilities, patients = rows
    document, figures = classifier_report(truth, probabilities, THREE, patients, "VIRAL", resamples=50, seed=3)
    json.dumps(document, allow_nan=False)
    assert set(figures) == {"confusion", "roc", "precision_recall"}
    for figure in figures.values():
        figure.draw_without_rendering()
    expected = multiclass_intervals(truth, probabilities, THREE, patients, seed=3, resamples=50)
    assert document["intervals"] == expected and document["positive"]["support"] == 30
    text = report_text(document)
    made = expected["per_class"]["VIRAL"]["sensitivity"]
    assert f"{made['value']:.3f} [{made['low']:.3f}, {made['high']:.3f}]" in text and "macro f1" in text


def test_absent_classes_and_unknown_patients_are_said(rows):
    truth, probabilities, _ = rows
    two = truth < 2
    document, _ = classifier_report(truth[two], probabilities[two], THREE, [""] * int(two.sum()), resamples=20)
    assert document["warnings"][0].startswith("no rows of VIRAL") and "no patient id" in document["warnings"][1]
    assert "note: no rows of VIRAL" in report_text(document) and "undefined" in report_text(document)


def test_comparison_as_text_and_figure(rows):
    truth, probabilities, patients = rows
    blurred = 0.5 * probabilities + 0.5 / 3
    arms = {"image": probabilities, "text": np.roll(probabilities, 1, axis=0), "blurred": blurred}
    settings = ComparisonSettings(resamples=40, permutations=99)
    document = compare_classifiers(arms, truth, patients, THREE, settings=settings)
    text = comparison_text(document)
    for entry in document["verdicts"]:
        assert f"- {entry['b']} against {entry['a']}: {entry['sentence']}" in text
    assert text.count("| text - image") == 4 and "90 rows of 45 patients" in text
    figure = classifiers_figure(document, title="Fusions")
    figure.draw_without_rendering()
    legend = figure.axes[0].get_legend_handles_labels()[1]
    assert legend == ["image", "text", "blurred"]
    alone = compare_classifiers({"image": probabilities}, truth, patients, THREE, settings=settings)
    assert alone["tests"] == [] and "against" not in comparison_text(alone)
