"""Every figure draws, on awkward input too, without pyplot."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from pipeline.engine.errors import DataError
from pipeline.evaluation.comparison.document import build_comparison
from pipeline.evaluation.comparison.tests import ComparisonSettings
from pipeline.evaluation.figures.calibration import calibration_figure
from pipeline.evaluation.figures.comparison import comparison_figures
from pipeline.evaluation.figures.forest import forest_figure
from pipeline.evaluation.figures.roc import roc_figure
from pipeline.evaluation.tables.rows import Rows
from pipeline.training.figures.training_curves import adversarial_figure, fit_figure

QUICK = ComparisonSettings(resamples=60, permutations=50)


def drawn(figure):
    """The rendered pixels; raises if matplotlib cannot lay the figure out."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())


def test_all_comparison_figures_draw_each_arm_and_modality(predictions):
    document = build_comparison(predictions, settings=QUICK)
    figures = comparison_figures(predictions, document)
    assert set(figures) == {"roc", "confusion", "metrics", "calibration", "training_noise"}
    panels = {"roc": 3, "confusion": 6, "metrics": 3, "calibration": 3, "training_noise": 6}
    for name, figure in figures.items():
        assert isinstance(figure, Figure)
        assert len(figure.axes) >= panels[name], name
        assert drawn(figure).std() > 0
    legend = figures["roc"].axes[1].get_legend().get_texts()[0].get_text()
    auc = document["modalities"]["ct"]["plain"]["auc"]
    assert legend == f"plain: AUC {auc['value']:.3f} [{auc['low']:.3f}, {auc['high']:.3f}]"


def test_an_arm_without_a_modality_and_rows_of_one_class(predictions):
    single = Rows.binary([1, 1], [0.5, 0.7], ids=["a", "b"])
    xray = predictions["plain"]["xray"]
    arms = {"plain": {"xray": xray}, "original": {"xray": xray, "other": single}}
    document = build_comparison(arms, settings=QUICK)
    for figure in comparison_figures(arms, document).values():
        figure.draw_without_rendering()
    texts = [text.get_text() for text in roc_figure({"a": {"ct": single}}).axes[0].texts]
    assert texts == ["rows of one class only"]
    drawn(calibration_figure({"a": {"ct": single}}))


@pytest.mark.parametrize(("arms", "panels"), [(1, 1), (2, 1), (3, 3), (7, 7)])
def test_the_calibration_legend_covers_nothing_and_nothing_is_cut_off(predictions, arms, panels, legible):
    table = predictions["plain"]["xray"]
    figure = calibration_figure({f"a_rather_long_arm_{place}": {"xray": table} for place in range(arms)})
    legible(figure)
    legends = [axis.get_legend() for axis in figure.axes if axis.get_legend() is not None]
    shown = [axis for axis in figure.axes if axis.axison]
    assert len(legends) == panels and len(shown) == 2 * panels
    assert sum(len(legend.get_texts()) for legend in legends) == arms
    for legend in legends:
        assert not any(legend.get_window_extent().overlaps(axis.get_tightbbox()) for axis in shown)


def test_three_arms_are_drawn_apart_a_modality_in_a_row(predictions):
    arms = {arm: predictions["plain"] for arm in ("plain", "adversarial", "erased")}
    figure = calibration_figure(arms)
    figure.draw_without_rendering()
    panels = [axis for axis in figure.axes if axis.axison and axis.get_title()]
    for modality, start in (("X-ray", 0), ("CT", 3), ("Paired", 6)):
        row = panels[start : start + 3]
        assert [axis.get_title() for axis in row] == [f"{modality}\n{arm}" for arm in arms]
        assert len({round(axis.get_position().y0, 3) for axis in row}) == 1


@pytest.mark.parametrize(("rows", "bins", "has_error"), [(19, 0, False), (20, 2, False), (30, 3, True), (500, 8, True)])
def test_few_rows_make_few_bins_and_too_few_no_curve(rows, bins, has_error):
    generator = np.random.default_rng(3)
    table = Rows.binary(np.arange(rows) % 2, generator.random(rows))
    figure = calibration_figure({"arm": {"xray": table}})
    drawn(figure)
    panel, _, below = figure.axes
    if bins == 0:
        assert [text.get_text() for text in panel.texts] == ["too few scans (19)\nfor a calibration curve"]
        assert below.get_legend() is None
        return
    (words,) = (text.get_text() for text in below.get_legend().get_texts())
    assert words.endswith(f"{rows} rows in {bins} bins") and ("calibration error" in words) == has_error
    assert len(panel.lines[0].get_xdata()) == bins


def test_the_panels_of_metrics_have_one_scale_and_say_whose_mean_they_show(predictions):
    document = build_comparison(predictions, settings=QUICK)
    figure = forest_figure(document)
    figure.draw_without_rendering()
    assert len({axis.get_xlim() for axis in figure.axes}) == 1
    assert "mean of trainings" in figure.get_suptitle() and "95 % intervals" in figure.get_suptitle()
    once = {arm: {name: rows.mean() for name, rows in tables.items()} for arm, tables in predictions.items()}
    single = build_comparison(once, settings=QUICK)
    assert "trainings" not in forest_figure(single).get_suptitle()
    assert comparison_figures(once, single)["training_noise"].get_suptitle().startswith("One training of each arm")


def test_adversarial_curves_mark_the_majority_rate():
    history = {
        "step": [1, 2, 3],
        "generator_loss": [2.0, 1.5, 1.2],
        "discriminator_loss": [0.5, 0.9, 1.2],
        "discriminator_accuracy": [0.9, 0.7, 0.6],
    }
    figure = adversarial_figure(history, majority_rate=0.6)
    drawn(figure)
    assert [line.get_label() for line in figure.axes[0].lines] == ["generator loss", "discriminator loss"]
    labels = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert labels == ["majority rate ± 0.05", "discriminator accuracy"]
    with pytest.raises(DataError, match="No loss column"):
        adversarial_figure({"step": [1]})
    with pytest.raises(DataError, match="differ in length"):
        adversarial_figure({"generator_loss": [1.0, 2.0], "discriminator_loss": [1.0]})


def test_fit_curves_put_training_and_validation_together():
    history = {"loss": [1.0, 0.5], "val_loss": [1.1, 0.7], "accuracy": [0.6, 0.8], "val_accuracy": [0.5, 0.7]}
    figure = fit_figure(history, "CT head", best=1)
    drawn(figure)
    assert len(figure.axes) == 2
    assert [axis.get_ylabel() for axis in figure.axes] == ["Loss", "Accuracy"]
    assert list(figure.axes[0].lines[1].get_ydata()) == [1.1, 0.7]
    assert list(figure.axes[0].lines[2].get_xdata()) == [2, 2]
    with pytest.raises(DataError, match="empty"):
        fit_figure({})


def test_equal_input_gives_equal_pixels(predictions):
    document = build_comparison(predictions, settings=QUICK)
    first, second = (drawn(forest_figure(document)) for _ in range(2))
    assert np.array_equal(first, second)


def test_pyplot_and_tensorflow_are_never_imported():
    code = (
        "import sys, pipeline.evaluation.figures.comparison, pipeline.training.figures.training_curves;"
        "print([name for name in ('matplotlib.pyplot', 'tensorflow', 'keras') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
