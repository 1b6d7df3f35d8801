"""McNemar's mid-p against the published example, and the permutation test against full enumeration."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import binom, rankdata
from statsmodels.stats.contingency_tables import mcnemar

from pipeline.engine.errors import DataError
from pipeline.evaluation.metrics.names import binary_names
from pipeline.evaluation.statistics import paired_tests
from pipeline.evaluation.statistics.p_values import holm
from pipeline.evaluation.statistics.paired_tests import mcnemar_midp, right_rows
from pipeline.evaluation.tables.rows import Rows


def clustered_permutation(labels, a, b, codes, **sizes):
    arms = [Rows.binary(labels, scores, codes) for scores in (a, b)]
    return paired_tests.clustered_permutation(*arms, binary_names("1", ("accuracy", "auc")), **sizes)


def test_published_example_of_fagerland_lydersen_and_laake():
    # airway hyper-responsiveness before and after stem cell transplantation: 1 against 7 discordant children
    assert mcnemar_midp(1, 7) == pytest.approx(10 / 256)
    assert round(mcnemar_midp(1, 7), 4) == 0.0391


@pytest.mark.parametrize(("b", "c"), [(1, 7), (3, 12), (12, 3), (0, 5), (20, 31)])
def test_midp_is_the_exact_p_less_the_point_probability(b, c):
    exact = mcnemar([[0, b], [c, 0]], exact=True).pvalue
    assert mcnemar_midp(b, c) == pytest.approx(exact - binom.pmf(min(b, c), b + c, 0.5))
    assert mcnemar_midp(b, c) == mcnemar_midp(c, b)


def test_midp_of_equal_and_of_no_discordance():
    assert mcnemar_midp(4, 4) == pytest.approx(1 - 0.5 * binom.pmf(4, 8, 0.5))
    assert mcnemar_midp(0, 0) == 1.0
    with pytest.raises(DataError, match="negative"):
        mcnemar_midp(-1, 3)


def test_discordant_counts():
    a, b = right_rows(*(Rows.binary([1, 1, 0, 0], scores) for scores in ([0.9, 0.1, 0.1, 0.9], [0.1, 0.9, 0.9, 0.9])))
    assert (np.sum(a & ~b), np.sum(~a & b)) == (2, 1)


def enumerated_p(labels, a, b, codes, statistic):
    """Share of all 2^C swaps whose statistic is at least as large as the observed one."""
    observed = abs(statistic(labels, a, b))
    values = []
    for coins in product([False, True], repeat=codes.max() + 1):
        swap = np.array(coins)[codes]
        values.append(abs(statistic(labels, np.where(swap, b, a), np.where(swap, a, b))))
    return np.mean(np.array(values) >= observed - 1e-12)


def accuracy_difference(labels, a, b):
    return np.mean((b >= 0.5) == labels) - np.mean((a >= 0.5) == labels)


def auc_difference(labels, a, b):
    positive = labels == 1
    shares = []
    for scores in (a, b):
        gaps = scores[positive][:, None] - scores[~positive]
        shares.append(np.mean((gaps > 0) + 0.5 * (gaps == 0)))
    return shares[1] - shares[0]


def test_p_is_that_of_all_swaps_of_whole_patients():
    generator = np.random.default_rng(0)
    codes = np.repeat(np.arange(9), 3)
    labels = generator.integers(0, 2, 27)
    a, b = generator.random(27), np.clip(0.35 * labels + 0.65 * generator.random(27), 0, 1)
    result = clustered_permutation(labels, a, b, codes, permutations=20_000, seed=1)
    exact = enumerated_p(labels, a, b, codes, accuracy_difference)
    assert result["accuracy"].statistic == pytest.approx(accuracy_difference(labels, a, b))
    assert result["accuracy"].p == pytest.approx(exact, abs=0.012)
    exact = enumerated_p(labels, rankdata(a), rankdata(b), codes, auc_difference)
    assert result["auc"].statistic == pytest.approx(auc_difference(labels, a, b))
    assert result["auc"].p == pytest.approx(exact, abs=0.012)
    assert result["auc"].clusters == 9
    assert 0.01 < exact < 0.9


def test_rows_of_one_patient_are_one_observation():
    labels = np.ones(40)
    a, b = np.full(40, 0.2), np.full(40, 0.8)
    alone = clustered_permutation(labels, a, b, np.zeros(40), permutations=200)
    assert alone["accuracy"].statistic == 1.0
    assert alone["accuracy"].p == 1.0
    apart = clustered_permutation(labels, a, b, np.arange(40), permutations=200)
    assert apart["accuracy"].p == pytest.approx(1 / 201)


def test_equal_arms_and_one_class():
    labels, scores = [0, 1, 0, 1], [0.1, 0.9, 0.6, 0.4]
    same = clustered_permutation(labels, scores, scores, ["a", "b", "c", "d"], permutations=50)
    assert (same["accuracy"].statistic, same["accuracy"].p) == (0, 1)
    assert (same["auc"].statistic, same["auc"].p) == (0, 1)
    single = clustered_permutation([1, 1], [0.1, 0.9], [0.9, 0.9], ["a", "b"], permutations=50)
    assert single["auc"].p is None
    assert single["accuracy"].p is not None


def test_calibration_alone_changes_nothing_in_ranking():
    generator = np.random.default_rng(2)
    labels = generator.integers(0, 2, 80)
    a, b = (np.clip(0.3 * labels + 0.6 * generator.random(80), 0.01, 1) for _ in range(2))
    alike = clustered_permutation(labels, a, b, np.arange(80), permutations=300)["auc"]
    miscalibrated = clustered_permutation(labels, a, b**9, np.arange(80), permutations=300)["auc"]
    assert miscalibrated == alike
    assert 0.01 < alike.p < 1


def test_null_p_values_are_not_too_small():
    generator = np.random.default_rng(3)
    hits = 0
    for study in range(150):
        ids = np.repeat(np.arange(25), 3)
        labels = np.repeat(generator.integers(0, 2, 25), 3)
        shared = 1.5 * labels + np.repeat(generator.normal(size=25), 3)
        a, b = (1 / (1 + np.exp(-shared + 0.75 - np.repeat(generator.normal(size=25), 3))) for _ in range(2))
        hits += clustered_permutation(labels, a, b, ids, permutations=199, seed=study)["auc"].p <= 0.05
    assert hits / 150 < 0.11


def test_permutations_are_drawn_in_blocks(python_calls):
    """Their time grows in NumPy, not in Python: a loop over permutations would call at least once for each."""
    generator = np.random.default_rng(4)
    labels = generator.integers(0, 2, 400)
    a, b = generator.random(400), generator.random(400)
    few, many = (
        python_calls(lambda count=count: clustered_permutation(labels, a, b, np.repeat(np.arange(200), 2), permutations=count))
        for count in (1000, 5000)
    )
    assert many - few < 4000


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.01, None, 0.04]) == [pytest.approx(0.02), None, pytest.approx(0.04)]
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([None]) == [None]
    assert holm([]) == []
