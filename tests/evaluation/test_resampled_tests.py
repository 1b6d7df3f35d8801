"""The corrected resampled t by hand, and the original's ANOVA against scipy."""

import math

import numpy as np
import pytest
from scipy.stats import f_oneway, ttest_1samp

from pipeline.engine.errors import DataError
from pipeline.evaluation.statistics.original_anova import CAUTION, original_anova
from pipeline.evaluation.statistics.resampled_tests import corrected_resampled_t

DIFFERENCES = [0.01, 0.02, 0.03, 0.04, 0.05]


def test_nadeau_bengio_by_hand():
    result = corrected_resampled_t(DIFFERENCES, 0.25)
    # s^2 = 0.00025, (1/5 + 1/4) s^2 = 0.0001125
    assert result.standard_error == pytest.approx(math.sqrt(0.0001125))
    assert result.statistic == pytest.approx(0.03 / math.sqrt(0.0001125))
    # Student's 97.5 % point at 4 degrees of freedom is 2.7764
    assert result.low == pytest.approx(0.03 - 2.7764451 * math.sqrt(0.0001125))
    assert result.p == pytest.approx(0.0474, abs=5e-4)
    assert result.folds == 5


def test_without_correction_it_is_the_ordinary_t():
    plain = ttest_1samp(DIFFERENCES, 0)
    result = corrected_resampled_t(DIFFERENCES, 1e-12)
    assert result.statistic == pytest.approx(plain.statistic)
    assert result.p == pytest.approx(plain.pvalue)
    assert corrected_resampled_t(DIFFERENCES, 0.25).p > plain.pvalue


def test_no_spread():
    equal = corrected_resampled_t([0.0, 0.0, 0.0], 0.5)
    assert (equal.statistic, equal.p) == (0.0, 1.0)
    constant = corrected_resampled_t([0.1, 0.1, 0.1], 0.5)
    assert (constant.statistic, constant.p, constant.sd) == (None, None, 0.0)


@pytest.mark.parametrize(
    ("differences", "ratio", "message"),
    [([0.1], 0.25, "K >= 2"), ([0.1, np.nan], 0.25, "not a number"), ([0.1, 0.2], 0.0, "must be > 0")],
)
def test_bad_input_is_refused(differences, ratio, message):
    with pytest.raises(DataError, match=message):
        corrected_resampled_t(differences, ratio)


def test_anova_is_scipys():
    vectors = np.random.default_rng(0).random((10, 30)) + np.arange(10)[:, None] * 0.02
    result, expected = original_anova(vectors), f_oneway(*vectors)
    assert result.statistic == pytest.approx(expected.statistic)
    assert result.p == pytest.approx(expected.pvalue)
    assert result.vectors == 10
    between = 30 * np.sum((vectors.mean(axis=1) - vectors.mean()) ** 2)
    assert result.eta_squared == pytest.approx(between / np.sum((vectors - vectors.mean()) ** 2))


def test_anova_cannot_see_which_arm_is_right():
    """Its own flaw, as CAUTION says: the same vectors shuffled over scans give the same p."""
    generator = np.random.default_rng(1)
    vectors = generator.random((4, 50))
    shuffled = np.stack([generator.permutation(vector) for vector in vectors])
    assert original_anova(shuffled).p == pytest.approx(original_anova(vectors).p)
    assert "never looks at the labels" in CAUTION


def test_anova_of_constants_is_undefined_and_bad_shapes_are_refused():
    assert original_anova(np.full((2, 4), 0.5)).p is None
    for wrong in (np.zeros((1, 5)), np.zeros((3, 1)), np.zeros(4)):
        with pytest.raises(DataError, match="at least 2"):
            original_anova(wrong)
    with pytest.raises(DataError, match="NaN"):
        original_anova([[0.1, np.nan], [0.2, 0.3]])
