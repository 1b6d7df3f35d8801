"""Curves and overlays: what is on them, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.training.classifier.report import _training_figure, kept_words
from pipeline.training.figures.segmenter import SAID_COLOR, TRUE_COLOR, overlay_figure, training_figure


def test_curves_mark_the_kept_epoch_and_a_change_of_size():
    history = {"image_size": [96, 96, 128], "dice": [0.5, 0.6, 0.7], "val_dice": [0.4, 0.5, 0.6], "val_auc": [0.7, 0.8, 0.9]}
    figure = training_figure(history, 2, ["dice", "auc"], "Training")
    dice, auc = (axis for axis in figure.axes if axis.get_visible())
    drawn = {line.get_label(): line for line in dice.get_lines()}
    np.testing.assert_array_equal(drawn["validation"].get_ydata(), [0.4, 0.5, 0.6])
    assert list(drawn["kept epoch"].get_xdata()) == [3, 3] and list(drawn["128 px from here"].get_xdata()) == [2.5, 2.5]
    assert {line.get_label() for line in auc.get_lines()} == {"validation", "kept epoch", "128 px from here"}
    assert dice.get_ylabel() == "Mean Dice" and figure.get_suptitle() == "Training"


def test_outlines_are_drawn_where_the_masks_end():
    image = np.full((1, 12, 12), 100, np.uint8)
    true, said = np.zeros((2, 1, 12, 12), bool)
    true[0, 2:7, 2:7] = True
    said[0, 8:11, 8:11] = True
    figure = overlay_figure(image, true, said, ["one"], "Test")
    pixels = figure.axes[0].get_images()[0].get_array()
    colour = {name: [int(value[place : place + 2], 16) for place in (1, 3, 5)] for name, value in
              (("true", TRUE_COLOR), ("said", SAID_COLOR))}  # fmt: skip
    assert pixels[2, 4].tolist() == colour["true"] and pixels[8, 9].tolist() == colour["said"]
    assert pixels[4, 4].tolist() == [100] * 3 == pixels[0, 0].tolist()  # inside and outside stay as they are


def test_a_scan_without_a_mask_has_one_outline():
    image, said = np.zeros((1, 8, 8), np.uint8), np.zeros((1, 8, 8), bool)
    said[0, 2:5, 2:5] = True
    pixels = overlay_figure(image, said & False, said, ["no mask"]).axes[0].get_images()[0].get_array()
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) == 2


@pytest.mark.parametrize(("history", "said"), [
    ({"best_epoch": 2, "loss": [3.0, 2.0, 1.0, 1.0]}, "kept epoch 3 of 4"),
    ({"best_epoch": 2, "loss": [3.0, 2.0, 1.0], "inverse_penalty": [0.001, 0.01, 0.1]},
     "kept the penalty C = 0.1, which has the least validation loss of 0.001, 0.01, 0.1"),
    ({"best_epoch": 0, "loss": [3.0], "inverse_penalty": [1e-05]}, "one penalty, C = 1e-05"),
])  # fmt: skip
def test_a_penalty_is_no_epoch(history, said):
    assert kept_words(history) == said


def test_a_grid_of_penalties_is_drawn_over_the_penalties():
    history = {"best_epoch": 1, "inverse_penalty": [0.001, 0.01], "loss": [0.3, 0.2], "val_loss": [0.5, 0.4],
               "val_macro_f1": [0.4, 0.6], "val_auc": [1.0, 1.0]}  # fmt: skip
    figure = _training_figure("head", history)
    figure.draw_without_rendering()
    loss, f1, auc = figure.axes
    assert [axis.get_ylabel() for axis in figure.axes] == ["Loss", "Macro-F1", "AUC"]
    assert "C = 0.01" in figure.get_suptitle() and "epoch" not in figure.get_suptitle()
    assert {axis.get_xlabel() for axis in figure.axes} == {"C, the inverse of the penalty"} and loss.get_xscale() == "log"
    assert auc.get_ylim()[1] <= 1.02
    colours = {line.get_label(): line.get_color() for line in loss.lines}
    assert f1.lines[0].get_color() == colours["validation"] != colours["training"]
