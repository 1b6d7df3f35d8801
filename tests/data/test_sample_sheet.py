"""The sample sheet shows every operation of the table on both scans."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.data.inspection.sample_operations import families
from pipeline.data.inspection.sample_sheet import FAMILIES, sample_sheet

COUNTS = {"threshold": 5 + 2 + 1, "blur": 4, "morphology": 7, "edge": 5, "histogram": 2}


@pytest.fixture
def scans() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (64, 80), dtype=np.uint8), random.integers(
        0, 256, (48, 48), dtype=np.uint8
    )


def test_every_operation_gives_a_picture_of_the_same_size_and_changes_it(scans: tuple) -> None:
    assert {name: len(operations) for name, operations in families().items()} == COUNTS
    for operations in families().values():
        for caption, operation in operations.items():
            before = scans[0].copy()
            result = operation(scans[0])
            assert (result.shape, result.dtype) == (before.shape, np.uint8), caption
            assert (result != before).any(), caption
            np.testing.assert_array_equal(scans[0], before)


def test_global_thresholds_cut_at_100(scans: tuple) -> None:
    np.testing.assert_array_equal(
        families()["threshold"]["binary at 100"](scans[0]), np.where(scans[0] > 100, 255, 0)
    )


def test_a_figure_per_family_with_a_row_per_modality(scans: tuple) -> None:
    figures = sample_sheet(*scans)
    assert tuple(figures) == FAMILIES
    for name, figure in figures.items():
        pictures = [axes for axes in figure.axes if axes.images]
        assert len(pictures) == 2 * (1 + COUNTS[name])
        assert {axes.get_ylabel() for axes in pictures} == {"X-ray", "CT", ""}
    np.testing.assert_array_equal(figures["blur"].axes[0].images[0].get_array(), scans[0])


def test_figures_can_be_saved(scans: tuple, tmp_path) -> None:
    figure = sample_sheet(*scans)["histogram"]
    figure.savefig(tmp_path / "histogram.png")
    assert (tmp_path / "histogram.png").stat().st_size > 5000
