"""The bars of a head's SHAP values are the means that the document says."""

from __future__ import annotations

import pytest

from pipeline.evaluation.figures.head_shap import SHOWN, head_shap_figure


def told(images: int, count: int) -> dict:
    features = [{"feature": place + 100, "mean_absolute": count - place, "mean": (-1) ** place * 0.5} for place in range(count)]
    return {"images": images, "expected_logit": -0.25, "features": features}


def test_a_panel_a_class_and_a_bar_a_feature():
    figure = head_shap_figure({"NORMAL": told(1, 3), "PNEUMONIA": told(7, SHOWN + 5)}, "features of the 8 images")
    first, second = figure.axes
    strength, mean = (list(bars) for bars in first.containers)
    assert [bar.get_width() for bar in mean] == pytest.approx([0.5, -0.5, 0.5])
    assert [bar.get_width() for bar in strength] == [3, 2, 1] and mean[0].get_facecolor() != mean[1].get_facecolor()
    assert [label.get_text() for label in first.get_yticklabels()] == ["100", "101", "102"]
    assert [len(bars) for bars in second.containers] == [SHOWN, SHOWN]
    assert "1 image," in first.get_title() and "7 images" in second.get_title() and "-0.25" in second.get_title()
    assert "features of the 8 images" in figure.get_suptitle()
    (legend,) = figure.legends
    entries = zip(legend.get_texts(), legend.get_patches(), strict=True)
    told_by = {text.get_text(): patch.get_facecolor() for text, patch in entries}
    assert told_by["mean value, for the class"] == mean[0].get_facecolor()
    assert told_by["mean value, against it"] == mean[1].get_facecolor()
