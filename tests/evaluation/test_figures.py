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


@pytest.mark.parametrize("arms", [1, 2, 7])
def test_the_calibration_legend_covers_nothing_and_nothing_is_cut_off(predictions, arms):
    table = predictions["plain"]["xray"]
    figure = calibration_figure({f"a_rather_long_arm_{place}": {"xray": table} for place in range(arms)})
    figure.draw_without_rendering()
    panel, strip, below = figure.axes
    legend = below.get_legend().get_window_extent()
    assert len(below.get_legend().get_texts()) == arms
    assert not legend.overlaps(panel.get_tightbbox()) and not legend.overlaps(strip.get_tightbbox())
    for box in (panel.get_tightbbox(), strip.get_tightbbox(), legend):
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1


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
