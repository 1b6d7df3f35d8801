"""Reader variance against a published study and against the DBM analysis of variance of pseudo-values."""

import json

import numpy as np
import pandas
import pytest
import statsmodels.formula.api as formula
from scipy.stats import f as fisher
from sklearn.metrics import roc_auc_score
from statsmodels.stats.anova import anova_lm

from pipeline.engine.errors import DataError, UsageError
from pipeline.evaluation.studies.mrmc import ErrorCovariances, error_covariances, jackknife, mrmc_analysis, or_analysis

# Van Dyke et al. 1993 (cine against spin-echo MRI, 5 readers, 114 cases): the readers' empirical AUCs, recomputed from the
# study's ratings; the components, test and intervals as printed by the README of the R package MRMCaov (Smith & Hillis)
VAN_DYKE_AUCS = np.array([
    [0.9196457327, 0.8587761675, 0.9038647343, 0.9731078905, 0.8297906602],
    [0.9478260870, 0.9053140097, 0.9217391304, 0.9993558776, 0.9299516908],
])  # fmt: skip
VAN_DYKE = ErrorCovariances(0.0008022883, 0.0003466137, 0.0003440748, 0.0002390284, (0.0004839618, 0.0002041879))


def test_published_study():
    found = or_analysis(VAN_DYKE_AUCS, VAN_DYKE)
    assert found["components"]["ms_arm"] == pytest.approx(0.004796171, rel=1e-5)
    assert found["components"]["ms_arm_reader"] == pytest.approx(0.0005510306, rel=1e-6)
    difference = found["difference"]
    assert difference["value"] == pytest.approx(0.04380032, rel=1e-5)
    assert difference["standard_error"] == pytest.approx(0.02074862, rel=1e-5)
    assert difference["df"] == pytest.approx(15.25967, rel=1e-5)
    assert difference["statistic"] == pytest.approx(2.110999, rel=1e-5)
    assert difference["p"] == pytest.approx(0.05166569, rel=1e-5)
    assert (difference["low"], difference["high"]) == pytest.approx((-0.0003588544, 0.0879594986), abs=1e-6)
    assert (found["without"]["low"], found["without"]["high"]) == pytest.approx((0.8252236, 0.9688505), abs=1e-6)
    assert (found["with"]["low"], found["with"]["high"]) == pytest.approx((0.8941378, 0.9875369), abs=1e-6)


def make_study(readers=4, cases=60, seed=0, gain=0.8):
    generator = np.random.default_rng(seed)
    truth = np.arange(cases) % 2
    signal = (1.2 * truth - 0.6)[None, None, :] + 0.6 * generator.normal(size=(1, 1, cases))
    arm = np.array([1.0, 1.0 + gain])[:, None, None]
    logits = arm * signal + 0.4 * generator.normal(size=(2, readers, 1)) + 0.7 * generator.normal(size=(2, readers, cases))
    return truth, np.round(1 / (1 + np.exp(-logits)), 1)


@pytest.mark.parametrize("metric", ["sensitivity", "specificity", "auc"])
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_the_dbm_analysis_of_pseudo_values(metric, seed):
    truth, scores = make_study(cases=24, seed=seed)
    seen = {"sensitivity": truth == 1, "specificity": truth == 0, "auc": truth >= 0}[metric]
    rows = np.flatnonzero(seen)

    def figure(values, labels):
        right = (values >= 0.5) == labels
        return roc_auc_score(labels, values) if metric == "auc" else np.mean(right[labels == (metric == "sensitivity")])

    table = []
    for arm, reader in np.ndindex(2, 4):
        whole = figure(scores[arm, reader], truth)
        for row in rows:
            rest = np.delete(np.arange(truth.size), row)
            pseudo = rows.size * whole - (rows.size - 1) * figure(scores[arm, reader, rest], truth[rest])
            table.append((arm, reader, row, pseudo))
    frame = pandas.DataFrame(table, columns=["t", "r", "c", "y"])
    # the three-way interaction is the residual of this model
    fitted = formula.ols("y ~ C(t)*C(r) + C(t)*C(c) + C(r)*C(c)", frame).fit()
    squares = anova_lm(fitted)
    ms = squares["mean_sq"]
    shared = max(ms["C(t):C(c)"] - ms["Residual"], 0.0)
    below = ms["C(t):C(r)"] + shared
    freedom = below**2 / (ms["C(t):C(r)"] ** 2 / 3)
    found = mrmc_analysis(truth, scores, np.arange(truth.size), metric)["difference"]
    assert found["statistic"] ** 2 == pytest.approx(ms["C(t)"] / below, rel=1e-6)
    assert found["df"] == pytest.approx(freedom, rel=1e-6)
    assert found["p"] == pytest.approx(fisher.sf(ms["C(t)"] / below, 1, freedom), rel=1e-6)


def test_jackknife_covariances_of_a_proportion_are_its_sampling_covariances():
    truth, scores = make_study(readers=2)
    _, jackknifed = jackknife(truth == 1, scores, np.arange(60), "sensitivity")
    calls = (scores[:, :, truth == 1] >= 0.5).astype(float)
    expected = np.cov(calls.reshape(4, -1)) / 30
    found = error_covariances(jackknifed)
    # the jackknife of a mean is exactly the usual variance of a mean
    assert found.variance == pytest.approx(np.trace(expected) / 4)
    assert found.cov1 == pytest.approx((expected[0, 2] + expected[1, 3]) / 2)
    assert found.cov2 == pytest.approx((expected[0, 1] + expected[2, 3]) / 2)
    assert found.cov3 == pytest.approx((expected[0, 3] + expected[1, 2]) / 2)


def test_two_looks_at_every_patient_are_not_twice_the_patients():
    truth, scores = make_study()
    patients = np.arange(60)
    once = mrmc_analysis(truth, scores, patients, "auc")
    doubled = [np.concatenate([part, part], axis=-1) for part in (truth, scores, patients)]
    clustered = mrmc_analysis(*doubled, "auc")
    naive = mrmc_analysis(*doubled[:2], np.arange(120), "auc")
    assert clustered["difference"]["standard_error"] == pytest.approx(once["difference"]["standard_error"], rel=0.01)
    assert naive["components"]["variance"] < 0.6 * clustered["components"]["variance"]


def test_level_under_the_null():
    rejected = sum(
        mrmc_analysis(*make_study(cases=40, seed=seed, gain=0.0), np.arange(40), "auc")["difference"]["p"] < 0.05
        for seed in range(200)
    )
    assert rejected <= 20


def test_one_reader_speaks_for_himself_only():
    truth, scores = make_study(readers=1)
    found = mrmc_analysis(truth, scores, np.arange(60), "sensitivity")
    json.dumps(found, allow_nan=False)
    assert found["difference"]["p"] is None and found["fixed_cases"]["p"] is None and found["with"]["low"] is None
    assert found["fixed_readers"]["p"] is not None


def test_arms_without_any_spread():
    truth = np.arange(20) % 2
    scores = np.tile(truth.astype(float), (2, 3, 1))
    found = mrmc_analysis(truth, scores, np.arange(20), "sensitivity")
    json.dumps(found, allow_nan=False)
    assert found["difference"]["p"] == 1 and found["difference"]["value"] == 0


def test_refusals():
    truth, scores = make_study()
    with pytest.raises(UsageError, match="'f1'"):
        mrmc_analysis(truth, scores, np.arange(60), "f1")
    with pytest.raises(DataError, match=r"expected \(2, readers, 60\)"):
        mrmc_analysis(truth, scores[:1], np.arange(60), "auc")
    with pytest.raises(DataError, match="not a number in"):
        mrmc_analysis(truth, 5 * scores, np.arange(60), "auc")
    with pytest.raises(DataError, match="positive cases of two patients"):
        mrmc_analysis(np.eye(60)[0], scores, np.arange(60), "sensitivity")
