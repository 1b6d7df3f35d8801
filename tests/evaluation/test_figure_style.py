"""Titles stay inside their figures."""

from __future__ import annotations

import pytest

from pipeline.evaluation.figures.style import new_figure, set_title


@pytest.mark.parametrize("width", [2.5, 3.9, 12.0])
def test_a_title_fits_its_figure(width):
    figure, _ = new_figure(1, 1, width, 3.0)
    set_title(figure, "Metrics with 95 % patient-clustered intervals, averaged over all the seeds that were trained")
    figure.canvas.draw()
    box = figure._suptitle.get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.width
    assert ("\n" in figure.get_suptitle()) == (width < 9)
