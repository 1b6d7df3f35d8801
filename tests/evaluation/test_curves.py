"""ROC band and reliability against hand-computed cases."""

import numpy as np
import pytest

from pipeline.engine.errors import DataError
from pipeline.evaluation.metrics.classification import metric_values
from pipeline.evaluation.metrics.reliability import reliability
from pipeline.evaluation.metrics.roc_band import roc_band
from pipeline.evaluation.tables.rows import Rows


def test_area_under_the_drawn_curve_is_the_auc():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 200)
    scores = np.clip(0.3 * labels + 0.7 * generator.random(200), 0, 1)
    band = roc_band(labels, scores, np.arange(200), resamples=100)
    area = np.trapezoid(band.sensitivity, band.false_positive_rate)
    assert area == pytest.approx(metric_values(Rows.binary(labels, scores))["auc"], abs=0.01)
    assert np.all(band.low <= band.sensitivity + 1e-9)
    assert np.all(band.sensitivity <= band.high + 1e-9)
    assert np.all(np.diff(band.sensitivity) >= -1e-12)


def test_curve_starts_at_the_corner_of_rate_zero():
    # two of three positives stand above every negative
    band = roc_band([1, 1, 0, 1, 0], [0.9, 0.8, 0.7, 0.6, 0.1], np.arange(5), resamples=20)
    assert band.sensitivity[0] == pytest.approx(2 / 3)
    assert band.sensitivity[-1] == 1.0


def test_one_class_is_refused():
    with pytest.raises(DataError, match="both classes"):
        roc_band([1, 1], [0.2, 0.4], ["a", "b"])


def test_reliability_by_hand():
    curve = reliability([0, 1, 1, 1], [0.1, 0.3, 0.7, 0.9], bins=2)
    assert list(curve.predicted) == pytest.approx([0.2, 0.8])
    assert list(curve.observed) == pytest.approx([0.5, 1.0])
    assert list(curve.rows) == [2, 2]
    assert curve.expected_calibration_error == pytest.approx((0.3 + 0.2) / 2)
    assert np.all(curve.low <= curve.observed)


def test_equal_probabilities_share_a_bin():
    curve = reliability([0, 1, 1, 0], [0.5, 0.5, 0.5, 0.5], bins=10)
    assert (len(curve.rows), curve.observed[0], curve.expected_calibration_error) == (1, 0.5, 0.0)
