"""Figures of K classes, of fairness and of reader studies draw what their documents say."""

import numpy as np
import pytest

from pipeline.engine.errors import DataError
from pipeline.evaluation.figures.multiclass import confusion_matrix_figure, one_vs_rest_roc_figure
from pipeline.evaluation.figures.precision_recall import precision_recall_figure
from pipeline.evaluation.statistics.multiclass_intervals import multiclass_intervals
from pipeline.evaluation.studies.fairness import FairnessSettings, fairness
from pipeline.evaluation.studies.fairness_figure import fairness_figure
from pipeline.evaluation.studies.reader_calls import ReaderCalls
from pipeline.evaluation.studies.reader_study import ReaderStudySettings, reader_study
from pipeline.evaluation.studies.reader_study_figure import reader_study_figure

THREE = ("NORMAL", "BACTERIAL", "VIRAL")


def drawn(figure):
    figure.canvas.draw()
    assert np.asarray(figure.canvas.buffer_rgba()).std() > 0
    return figure


def make_rows(rows=60, classes=3):
    generator = np.random.default_rng(0)
    truth = np.arange(rows) % classes
    logits = np.eye(classes)[truth] + generator.normal(size=(rows, classes))
    return truth, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), np.arange(rows)


def test_confusion_has_counts_and_shares():
    figure = drawn(confusion_matrix_figure([[3, 1, 0], [0, 0, 0], [1, 0, 1]], THREE, "test"))
    counts, shares = ([text.get_text() for text in axis.texts] for axis in figure.axes)
    assert counts == ["3", "1", "0", "0", "0", "0", "1", "0", "1"]
    assert shares == ["75.0%", "25.0%", "0.0%", "–", "–", "–", "50.0%", "0.0%", "50.0%"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == list(THREE)
    with pytest.raises(DataError, match=r"expected \(3, 3\)"):
        confusion_matrix_figure(np.eye(2), THREE)


@pytest.mark.parametrize(("draw", "metric"), [(one_vs_rest_roc_figure, "auc"), (precision_recall_figure, "average_precision")])
def test_curves_state_the_tables_intervals(draw, metric):
    truth, probabilities, patients = make_rows()
    table = multiclass_intervals(truth, probabilities, THREE, patients, resamples=50)
    figure = drawn(draw(truth, probabilities, THREE, patients, intervals=table, resamples=50))
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert len(texts) == 3
    for name, text in zip(THREE, texts, strict=True):
        made = table["per_class"][name][metric]
        assert text.startswith(name) and f"{made['value']:.3f} [{made['low']:.3f}, {made['high']:.3f}]" in text


@pytest.mark.parametrize("draw", [one_vs_rest_roc_figure, precision_recall_figure])
def test_two_classes_have_one_curve_and_absent_ones_a_note(draw):
    truth, probabilities, patients = make_rows(classes=2)
    texts = draw(truth, probabilities, ("n", "p"), patients, "n", resamples=20).axes[0].get_legend().get_texts()
    assert [text.get_text()[:2] for text in texts] == ["n:"]
    wider = np.concatenate([probabilities, np.zeros((60, 1))], axis=1)
    figure = drawn(draw(truth, wider, THREE, patients, resamples=20))
    assert figure.axes[0].get_legend().get_texts()[2].get_text() == "VIRAL: no rows"
    drawn(draw(np.zeros(60, int), probabilities, ("n", "p"), patients, "n", resamples=20))


def test_fairness_names_the_worst_group_and_opens_small_ones():
    generator = np.random.default_rng(1)
    truth = np.arange(105) % 2
    group = np.array(["F"] * 50 + ["M"] * 50 + ["X"] * 5)
    wrong = generator.random(105) < np.where(group == "M", 0.4, 0.05)
    chosen = np.where(wrong, 1 - truth, truth)
    settings = FairnessSettings(resamples=50, permutations=50)
    document = fairness(truth, None, group, np.arange(105), ("n", "p"), "p", chosen, "sex", settings)
    figure = drawn(fairness_figure(document))
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["F (n = 50)", "M (n = 50)", "X (n = 5)"]
    points = {
        line.get_ydata()[0]: line for line in figure.axes[0].lines if line.get_marker() in ("o", "D") and len(line.get_ydata())
    }
    assert points[1].get_marker() == "D" and points[0].get_marker() == "o"
    assert points[2].get_markerfacecolor() == "white" and points[0].get_markerfacecolor() != "white"
    assert points[1].get_xdata()[0] == document["groups"]["M"]["metrics"]["balanced_accuracy"]["value"]
    assert len(figure.axes) == 3
    with pytest.raises(DataError, match="None of auc"):
        fairness_figure(document, ("auc",))


@pytest.mark.parametrize("readers", [1, 3])
def test_reader_study_draws_each_reader_and_the_study(readers):
    generator = np.random.default_rng(2)
    truth = np.arange(30) % 2 == 1
    calls = np.stack([truth ^ (generator.random((readers, 30)) < rate) for rate in (0.4, 0.1)]).astype(float)
    ids = np.array([f"c{number}" for number in range(30)])
    names = tuple(f"R{number}" for number in range(readers))
    document = reader_study(ReaderCalls(ids, ids, truth, names, calls), ReaderStudySettings(resamples=40))
    figure = drawn(reader_study_figure(document))
    labels = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert labels == [*names, "readers at large"]
    change = document["per_reader"]["R0"]["difference"]["sensitivity"]["value"]
    assert figure.axes[1].lines[0].get_xdata()[0] == change
    assert figure.axes[1].lines[readers].get_xdata()[0] == document["mrmc"]["sensitivity"]["difference"]["value"]
