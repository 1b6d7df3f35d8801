"""Figures of K classes, of fairness and of reader studies draw what their documents say."""

import numpy as np
import pytest

from pipeline.engine.errors import DataError
from pipeline.evaluation.figures.confusion import confusion_figure
from pipeline.evaluation.figures.measures import by_class, measures_figure
from pipeline.evaluation.figures.precision_recall import precision_recall_figure
from pipeline.evaluation.figures.roc import roc_figure
from pipeline.evaluation.statistics.intervals import metric_intervals
from pipeline.evaluation.studies.fairness import FairnessSettings, fairness
from pipeline.evaluation.studies.fairness_figure import fairness_figure
from pipeline.evaluation.studies.reader_calls import ReaderCalls
from pipeline.evaluation.studies.reader_study import ReaderStudySettings, reader_study
from pipeline.evaluation.studies.reader_study_figure import reader_study_figure
from pipeline.evaluation.tables.rows import MeasuredRows, Rows

THREE = ("NORMAL", "BACTERIAL", "VIRAL")


def drawn(figure):
    figure.canvas.draw()
    assert np.asarray(figure.canvas.buffer_rgba()).std() > 0
    return figure


def legend_of(figure):
    """The words of its first legend, in a panel or below it."""
    legend = next(axis.get_legend() for axis in figure.axes if axis.get_legend() is not None)
    return [text.get_text() for text in legend.get_texts()]


def make_rows(rows=60, classes=3):
    generator = np.random.default_rng(0)
    truth = np.arange(rows) % classes
    logits = np.eye(classes)[truth] + generator.normal(size=(rows, classes))
    return truth, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), np.arange(rows)


def test_confusion_has_counts_and_shares():
    figure = drawn(confusion_figure({"": {"": [[3, 1, 0], [0, 0, 0], [1, 0, 1]]}}, THREE, "test"))
    words = [text.get_text() for text in figure.axes[0].texts]
    assert words == ["3\n75.0%", "1\n25.0%", "0\n0.0%", "0", "0", "0", "1\n50.0%", "0\n0.0%", "1\n50.0%"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == list(THREE)
    with pytest.raises(DataError, match=r"expected \(3, 3\)"):
        confusion_figure({"": {"": np.eye(2).tolist()}}, THREE)


@pytest.mark.parametrize("names", [("n", "p"), ("Non_COVID", "COVID"), ("Other_pneumonia", "COVID"), THREE])
@pytest.mark.parametrize("arms", [("",), ("plain", "adversarial"), ("runs/of_november_with_a_long_name/adversarial", *"abcdef")])
@pytest.mark.parametrize("modalities", [("",), ("xray", "shuffled_pairs")])
def test_titles_and_names_of_confusion_matrices_have_room(names, arms, modalities, legible):
    counts = np.eye(len(names), dtype=int).tolist()
    figure = confusion_figure({modality: dict.fromkeys(arms, counts) for modality in modalities}, names)
    legible(figure)
    drawn_ones = [axis for axis in figure.axes if axis.axison]
    assert len(drawn_ones) == len(arms) * len(modalities)
    assert drawn_ones[-1].get_title().endswith(arms[-1])


@pytest.mark.parametrize("curves", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("draw", [roc_figure, precision_recall_figure])
def test_the_legend_of_many_curves_covers_none_of_them(draw, curves, legible):
    truth, probabilities, patients = make_rows(classes=2)
    rows = Rows(truth, probabilities, ("n", "p"), patients, positive_class="p")
    figure = draw({f"a_rather_long_arm_{place}": {"images": rows} for place in range(curves)})
    legible(figure)
    panel, *below = figure.axes
    assert (panel.get_legend() is None) == bool(below) == (curves > 2)
    assert len(legend_of(figure)) == curves


@pytest.mark.parametrize("curves", [3, 4])
def test_a_roc_figure_says_whether_it_has_bands(curves):
    truth, probabilities, patients = make_rows(classes=2)
    rows = Rows(truth, probabilities, ("n", "p"), patients, positive_class="p")
    figure = roc_figure({f"arm {place}": {"images": rows} for place in range(curves)})
    assert bool(figure.axes[0].collections) == ("with 95 % band" in figure.get_suptitle()) == (curves == 3)


@pytest.mark.parametrize(("draw", "metric"), [(roc_figure, "auc"), (precision_recall_figure, "average_precision")])
def test_curves_state_the_tables_intervals(draw, metric):
    truth, probabilities, patients = make_rows()
    rows = Rows(truth, probabilities, THREE, patients)
    table = metric_intervals(rows, {f"{metric}:{name}": f"{metric}:{name}" for name in THREE}, resamples=50)
    figure = drawn(draw({"arm": {"images": rows}}, {"modalities": {"images": {"arm": table}}}))
    texts = legend_of(figure)
    assert len(texts) == 3
    for name, text in zip(THREE, texts, strict=True):
        made = table[f"{metric}:{name}"]
        assert text.startswith(name) and f"{made['value']:.3f} [{made['low']:.3f}, {made['high']:.3f}]" in text


@pytest.mark.parametrize("draw", [roc_figure, precision_recall_figure])
def test_two_classes_have_one_curve_and_absent_ones_a_note(draw):
    truth, probabilities, patients = make_rows(classes=2)
    two = Rows(truth, probabilities, ("n", "p"), patients, positive_class="n")
    assert [text[:2] for text in legend_of(draw({"": {"images": two}}))] == ["n:"]
    wider = Rows(truth, np.concatenate([probabilities, np.zeros((60, 1))], axis=1), THREE, patients)
    figure = drawn(draw({"": {"images": wider}}))
    assert legend_of(figure)[2] == "VIRAL: no rows"
    one = Rows(np.zeros(60, int), probabilities, ("n", "p"), patients, positive_class="n")
    assert drawn(draw({"": {"images": one}})).axes[0].texts[0].get_text() == "rows of one class only"


def test_measures_have_a_dot_a_scan_and_a_bar_a_group():
    rows = MeasuredRows({"dice": [0.9, 0.8, 0.6], "hd95": [1.0, 3.0, 30.0]}, [0, 0, 1], ("a", "b"))
    figure = drawn(measures_figure({measure: by_class(rows, measure) for measure in rows.values}))
    assert [text.get_text() for text in figure.axes[0].texts] == ["0.850", "0.600"]
    assert [text.get_text() for text in figure.axes[1].texts] == ["2.000", "30.000"]
    assert figure.axes[1].get_ylabel() == "HD95 (px)" and figure.axes[1].get_ylim()[1] > 30


def test_fairness_names_the_worst_group_and_opens_small_ones():
    generator = np.random.default_rng(1)
    truth = np.arange(105) % 2
    group = np.array(["F"] * 50 + ["M"] * 50 + ["X"] * 5)
    wrong = generator.random(105) < np.where(group == "M", 0.4, 0.05)
    chosen = np.where(wrong, 1 - truth, truth)
    settings = FairnessSettings(resamples=50, permutations=50)
    rows = Rows(truth, np.eye(2)[chosen], ("n", "p"), np.arange(105), positive_class="p", predicted=chosen, scored=False)
    document = fairness(rows, group, "sex", settings)
    figure = drawn(fairness_figure(document))
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["F (n = 50)", "M (n = 50)", "X (n = 5)"]
    points = {
        line.get_ydata()[0]: line for line in figure.axes[0].lines if line.get_marker() in ("o", "D") and len(line.get_ydata())
    }
    assert points[1].get_marker() == "D" and points[0].get_marker() == "o"
    assert points[2].get_markerfacecolor() == "white" and points[0].get_markerfacecolor() != "white"
    assert points[1].get_xdata()[0] == document["groups"]["M"]["metrics"]["balanced_accuracy"]["value"]
    assert len(figure.axes) == 3 and len({axis.get_xlim() for axis in figure.axes}) == 1
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "not ranked: the metric rests on fewer than 10 patients" in words
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
    assert len({axis.get_xlim() for axis in figure.axes[1:]}) == 1 and "95 % intervals" in figure.get_suptitle()
    change = document["per_reader"]["R0"]["difference"]["sensitivity"]["value"]
    assert figure.axes[1].lines[0].get_xdata()[0] == change
    assert figure.axes[1].lines[readers].get_xdata()[0] == document["mrmc"]["sensitivity"]["difference"]["value"]
