"""A reader study: by hand, from CSV, and what is refused."""

import json

import numpy as np
import pytest
from scipy.stats import binom
from statsmodels.stats.contingency_tables import mcnemar

from pipeline.engine.errors import DataError
from pipeline.evaluation.studies.reader_calls import ReaderCalls, read_reader_calls
from pipeline.evaluation.studies.reader_study import ReaderStudySettings, reader_study

QUICK = ReaderStudySettings(resamples=100)


def make_calls(readers=4, cases=80, helped=0.5, seed=0, scored=False):
    """AI puts right `helped` of what each reader gets wrong."""
    generator = np.random.default_rng(seed)
    truth = np.arange(cases) % 2 == 1
    wrong = generator.random((readers, cases)) < 0.35
    mended = wrong & ~(generator.random((readers, cases)) < helped)
    calls = np.stack([truth ^ wrong, truth ^ mended]).astype(float)
    if scored:
        calls = 0.3 + 0.4 * calls + 0.2 * generator.random(calls.shape)
    ids = np.array([f"c{number}" for number in range(cases)])
    return ReaderCalls(ids, ids, truth, tuple(f"R{number}" for number in range(readers)), calls)


def test_by_hand():
    truth = np.array([1, 1, 1, 1, 0, 0, 0, 0], bool)
    without = [[1, 1, 0, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, 0, 1, 1]]
    with_ai = [[1, 1, 1, 1, 0, 0, 0, 1], [1, 1, 1, 0, 0, 0, 0, 1]]
    ids = np.array(list("abcdefgh"))
    document = reader_study(ReaderCalls(ids, ids, truth, ("A", "B"), np.array([without, with_ai], float)), QUICK)
    json.dumps(document, allow_nan=False)
    first = document["per_reader"]["A"]
    assert first["without"]["sensitivity"]["value"] == 0.5 and first["with"]["sensitivity"]["value"] == 1
    assert first["without"]["confusion"] == {"tn": 3, "fp": 1, "fn": 2, "tp": 2}
    assert first["difference"]["sensitivity"]["value"] == 0.5 and first["difference"]["specificity"]["value"] == 0
    mean = document["mean_reader"]
    assert mean["without"]["sensitivity"]["value"] == pytest.approx((0.5 + 0.25) / 2)
    assert mean["difference"]["specificity"]["value"] == pytest.approx((0 + 0.25) / 2)
    assert document["mrmc"]["sensitivity"]["difference"]["value"] == pytest.approx(0.5)
    assert document["mrmc"]["auc"]["estimates"][0][0] == pytest.approx((0.5 + 0.75) / 2)
    test = next(t for t in document["tests"] if t["reader"] == "A" and t["metric"] == "sensitivity")
    assert test["discordant"] == {"only_without_right": 0, "only_with_right": 2}
    assert test["p"] == pytest.approx(2 * 0.25 - 0.25)
    test = next(t for t in document["tests"] if t["reader"] == "B" and t["metric"] == "specificity")
    assert test["discordant"] == {"only_without_right": 0, "only_with_right": 1} and test["n"] == 4
    # without AI the two agree on 6 of 8 cases, and 6 of their 16 calls are positive
    chance = (6 / 16) ** 2 + (10 / 16) ** 2
    assert document["agreement"]["fleiss_kappa"]["without"]["value"] == pytest.approx((6 / 8 - chance) / (1 - chance))
    assert {"readers", "study"} == set(document["families"])


def test_mcnemar_agrees_with_statsmodels_exact():
    study = make_calls()
    document = reader_study(study, QUICK)
    for test in document["tests"]:
        if test["family"] != "readers":
            continue
        lost, gained = test["discordant"].values()
        exact = mcnemar([[0, lost], [gained, 0]], exact=True).pvalue
        if lost != gained:
            assert test["p"] == pytest.approx(exact - binom.pmf(min(lost, gained), lost + gained, 0.5))


def test_an_ai_that_helps_is_shown_and_one_that_does_not_is_not():
    helped = reader_study(make_calls(helped=0.8), QUICK)
    study = {test["metric"]: test for test in helped["tests"] if test["family"] == "study"}
    assert study["sensitivity"]["p_adjusted"] < 0.05 and study["sensitivity"]["verdict"].startswith("difference shown")
    assert study["sensitivity"]["difference"]["low"] > 0
    idle = reader_study(make_calls(helped=0.0), QUICK)
    for test in idle["tests"]:
        assert test["verdict"].startswith("no difference shown at this sample size")
    assert "accept" not in json.dumps(idle)


def test_holm_in_each_family():
    document = reader_study(make_calls(), QUICK)
    readers = [test for test in document["tests"] if test["family"] == "readers"]
    assert len(readers) == 8
    smallest = min(readers, key=lambda test: test["p"])
    assert smallest["p_adjusted"] == pytest.approx(min(1, 8 * smallest["p"]))
    study = min((t for t in document["tests"] if t["family"] == "study"), key=lambda test: test["p"])
    assert study["p_adjusted"] == pytest.approx(min(1, 3 * study["p"]))


def test_scores_and_warnings():
    scored = reader_study(make_calls(scored=True), QUICK)
    assert scored["scored"] and not any("0 or 1" in note for note in scored["warnings"])
    few = reader_study(make_calls(readers=2), QUICK)
    assert not few["scored"] and any("0 or 1" in note for note in few["warnings"])
    assert any("2 readers" in note for note in few["warnings"])
    alone = reader_study(make_calls(readers=1), QUICK)
    json.dumps(alone, allow_nan=False)
    assert alone["agreement"]["pairs"] == [] and alone["mrmc"]["auc"]["difference"]["p"] is None


def lines_of(study, truth=True):
    head = "case_id,reader_id,with_ai,call" + (",truth" if truth else "")
    lines = [head]
    for arm, reader, case in np.ndindex(study.calls.shape):
        line = f"{study.case_ids[case]},{study.readers[reader]},{arm},{study.calls[arm, reader, case]:g}"
        lines.append(line + (f",{int(study.truth[case])}" if truth else ""))
    return lines


@pytest.fixture
def write(tmp_path):
    def write(lines, name="readers.csv"):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


def test_csv_round_trip(write):
    study = make_calls(readers=2, cases=6, scored=True)
    read = read_reader_calls(write(lines_of(study)))
    assert read.readers == study.readers and (read.truth == study.truth).all()
    assert read.case_ids.tolist() == study.case_ids.tolist() and read.scored
    assert read.calls == pytest.approx(study.calls, rel=1e-4)


def test_truth_from_a_table_of_its_own_with_class_names_and_patients(write):
    study = make_calls(readers=2, cases=6)
    calls = write(lines_of(study, truth=False))
    names = ["NORMAL", "PNEUMONIA"]
    rows = [f"c{case},{names[case % 2]},p{case // 2}" for case in range(6)]
    truth = write(["case_id,truth,patient_id", *rows, "c99,NORMAL,p9"], "truth.csv")
    read = read_reader_calls(calls, truth, positive="PNEUMONIA")
    assert (read.truth == study.truth).all() and read.patient_ids.tolist() == ["p0", "p0", "p1", "p1", "p2", "p2"]
    assert read.warnings == ("1 case(s) of the truth table were read by nobody",)
    with pytest.raises(DataError, match="neither 0 nor 1"):
        read_reader_calls(calls, truth)
    with pytest.raises(DataError, match="no case has the truth 'COVID'"):
        read_reader_calls(calls, truth, positive="COVID")
    short = write(["case_id,truth", *[f"c{case},{case % 2}" for case in range(4)]], "short.csv")
    with pytest.raises(DataError, match="2 case.* have no truth in .*short.csv: c4, c5"):
        read_reader_calls(calls, short)
    double = write(["case_id,truth", "c0,0", "c0,1"], "double.csv")
    with pytest.raises(DataError, match="'c0' has two truths"):
        read_reader_calls(calls, double)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: [*lines, lines[1]], "calls case 'c0' without AI a second time"),
        (lambda lines: [*lines, "c77,R0,0,1,"], r"1 case\(s\) have no truth in .*: c77"),
        (lambda lines: [line for line in lines if ",R1,1," not in line], "'R1' has no calls with AI"),
        (lambda lines: [line for line in lines if not line.startswith("c3,R1,1")], "no call of case 'c3' with AI"),
        (lambda lines: [line.replace("c0,R0,0,0", "c0,R0,0,5") for line in lines], "call '5' is not in"),
        (lambda lines: [line.replace("c0,R0,0,0", "c0,R0,0,yes") for line in lines], "call 'yes' is not in"),
        (lambda lines: [line.replace("c0,R0,0,", "c0,R0,maybe,") for line in lines], "with_ai is 'maybe'"),
        (lambda lines: [lines[0].replace("reader_id", "readerid"), *lines[1:]], "Did you mean 'readerid'"),
        (lambda lines: [line.rsplit(",", 1)[0] for line in lines], "with --truth"),
        (lambda lines: [line.rsplit(",", 1)[0] + (",truth" if "case" in line else ",1") for line in lines], "of one class"),
        (lambda lines: lines[:1], "no rows"),
        (lambda lines: [*lines, ",R0,0,1,1"], "has no case_id"),
    ],
)
def test_refusals(change, said, write):
    study = make_calls(readers=2, cases=6)
    study.calls[0, 0, 0] = 0.0
    with pytest.raises(DataError, match=said):
        read_reader_calls(write(change(lines_of(study))))
