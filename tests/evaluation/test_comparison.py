"""The `compare --json` document: its fixed schema, its verdicts, and awkward inputs."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pipeline.engine.errors import DataError
from pipeline.evaluation.comparison.document import build_comparison
from pipeline.evaluation.comparison.tests import ComparisonSettings
from pipeline.evaluation.comparison.text import comparison_table
from pipeline.evaluation.metrics.names import BINARY_METRICS
from pipeline.evaluation.tables.resplits import Resplits
from pipeline.evaluation.tables.rows import Rows

QUICK = ComparisonSettings(resamples=200, permutations=400)


@pytest.fixture
def resplits():
    generator = np.random.default_rng(1)
    values = {
        arm: {name: level + 0.01 * generator.random((5, 2)) for name in ("xray", "ct", "paired")}
        for arm, level in (("plain", 0.8), ("adversarial", 0.8))
    }
    return Resplits(("accuracy", "auc"), values, {"xray": 0.25, "ct": 0.25, "paired": 0.25})


def test_schema_is_the_fixed_one(predictions, resplits):
    document = build_comparison(predictions, resplits, settings=QUICK)
    text = json.dumps(document, allow_nan=False)
    assert json.loads(text) == document
    assert document["schema_version"] == 1
    assert document["arms"] == ["plain", "adversarial"]
    assert set(document["modalities"]) == {"xray", "ct", "paired"}
    for arms in document["modalities"].values():
        assert set(arms) == {"plain", "adversarial"}
        for metrics in arms.values():
            assert set(metrics) == set(BINARY_METRICS)
            assert all(set(interval) == {"value", "low", "high"} for interval in metrics.values())
    required = {
        "modality",
        "metric",
        "test",
        "a",
        "b",
        "statistic",
        "p",
        "p_adjusted",
        "effect",
        "n",
        "verdict",
    }
    for test in document["tests"]:
        assert required <= set(test)
        assert set(test["effect"]) == {"name", "value", "low", "high"}
        assert (test["a"], test["b"]) == ("plain", "adversarial")
        assert "accepted" not in test["verdict"]
    kinds = [test["test"] for test in document["tests"] if test["modality"] == "ct"]
    assert sorted(kinds) == sorted(
        ["mcnemar_midp", *["clustered_permutation"] * 2, "original_anova", *["corrected_resampled_t"] * 2]
    )


def test_finds_the_one_difference_and_no_other(predictions):
    document = build_comparison(predictions, settings=QUICK)
    sentences = {entry["modality"]: entry["sentence"] for entry in document["verdicts"]}
    assert sentences["ct"].startswith("difference shown: accuracy of adversarial minus plain +")
    for modality in ("xray", "paired"):
        assert sentences[modality].startswith(
            "no difference shown at this sample size (smallest detectable 0."
        )
    for test in document["tests"]:
        if test["modality"] == "ct" and test["family"]:
            assert test["effect"]["low"] > 0, test["test"]
            assert test["difference"]["low"] > 0, test["test"]
    ct = document["modalities"]["ct"]
    assert ct["adversarial"]["auc"]["value"] > ct["plain"]["auc"]["high"]


def test_holm_runs_over_all_modalities_and_spares_the_anova(predictions, resplits):
    document = build_comparison(predictions, resplits, settings=QUICK)
    for family, size in (("given_split", 9), ("resplits", 6)):
        members = [test for test in document["tests"] if test["family"] == family]
        assert len(members) == size
        smallest = min(members, key=lambda test: test["p"])
        assert smallest["p_adjusted"] == pytest.approx(min(1, size * smallest["p"]))
        assert all(test["p_adjusted"] >= test["p"] for test in members)
    anova = [test for test in document["tests"] if test["test"] == "original_anova"]
    assert len(anova) == 3
    for test in anova:
        assert test["p_adjusted"] is None
        assert "never looks at the labels" in test["caution"]
        assert test["n"] == 5


def test_tests_are_of_patients_and_counts_of_the_ensemble(predictions):
    document = build_comparison(predictions, settings=QUICK)
    table = predictions["plain"]["ct"]
    right = (table.probabilities[..., 1].mean(axis=0) >= 0.5) == table.truth
    counts = document["confusion"]["ct"]["plain"]
    assert counts["tn"] + counts["tp"] == right.sum()
    by_test = {(test["test"], test["metric"]): test for test in document["tests"] if test["modality"] == "ct"}
    assert by_test["mcnemar_midp", "accuracy"]["n"] == 80
    assert by_test["clustered_permutation", "auc"]["n"] == 40
    assert document["counts"]["paired"] == {"rows": 80, "positive": 40, "clusters": 40}
    assert document["training_noise"]["ct"]["plain"]["auc"]["seeds"] == 3
    assert document["training_noise"]["ct"]["adversarial"]["brier"]["sd"] > 0
    assert any("clustered by CT patient" in warning for warning in document["warnings"])


def test_a_test_and_the_table_of_its_name_are_of_one_quantity(predictions, resplits):
    arms = {
        arm: {name: replace(rows, probabilities=rows.probabilities[:2], predicted=None) for name, rows in tables.items()}
        for arm, tables in predictions.items()
    }
    document = build_comparison(arms, resplits, settings=QUICK)
    tables = {"mean of trainings": "modalities", "ensemble of trainings": "ensemble"}
    told = [test for test in document["tests"] if test["of"] in tables]
    assert {(test["test"], test["of"]) for test in told} == {
        ("clustered_permutation", "mean of trainings"), ("mcnemar_midp", "ensemble of trainings"),
    }  # fmt: skip
    for test in told:
        plain, adversarial = (document[tables[test["of"]]][test["modality"]][arm][test["metric"]] for arm in document["arms"])
        assert test["difference"]["value"] == pytest.approx(adversarial["value"] - plain["value"])
    assert {test["of"] for test in document["tests"] if test["family"] == "resplits"} == {"one training a resplit"}


def test_of_one_training_and_of_unequal_numbers_of_trainings(predictions):
    first = {arm: {name: rows.mean() for name, rows in tables.items()} for arm, tables in predictions.items()}
    alone = build_comparison(first, settings=QUICK)
    assert alone["ensemble"] == {} and {test["of"] for test in alone["tests"]} == {"one training", None}
    mixed = build_comparison(predictions, settings=QUICK)
    assert {test["of"] for test in mixed["tests"]} == {"ensemble of trainings", None}


def test_a_document_of_before_it_said_what_its_tests_are_of_is_told(predictions, resplits):
    document = build_comparison(predictions, resplits, settings=QUICK)
    del document["ensemble"]
    for test in document["tests"]:
        del test["of"]
    text = comparison_table(document)
    assert "Tests of the ensemble of trainings\n" in text and "Tests of one training a resplit\n" in text
    assert "Verdict, on the given split of the ensemble of trainings\n" in text


def test_controls_are_reported_and_not_tested(predictions):
    control = {arm: {**tables, "paired_shuffled": tables["paired"]} for arm, tables in predictions.items()}
    document = build_comparison(control, controls=("paired_shuffled",), settings=QUICK)
    assert "paired_shuffled" in document["modalities"]
    assert "paired_shuffled" not in {test["modality"] for test in document["tests"]}
    plain = build_comparison(predictions, settings=QUICK)
    assert [test["p_adjusted"] for test in document["tests"]] == [
        test["p_adjusted"] for test in plain["tests"]
    ]


def test_rows_are_matched_by_id(predictions):
    ct = predictions["adversarial"]["ct"]
    shuffled = {**predictions["adversarial"], "ct": ct.select(np.random.default_rng(2).permutation(80))}
    expected = build_comparison(predictions, settings=QUICK)
    assert build_comparison({**predictions, "adversarial": shuffled}, settings=QUICK) == expected
    fewer = {**predictions["adversarial"], "ct": ct.select(np.arange(70))}
    document = build_comparison({**predictions, "adversarial": fewer}, settings=QUICK)
    assert document["counts"]["ct"]["rows"] == 70
    assert any("10 of 80 rows" in warning for warning in document["warnings"])


def test_three_arms_are_compared_two_by_two(predictions):
    arms = {**predictions, "original": {"ct": predictions["plain"]["ct"]}}
    document = build_comparison(arms, settings=QUICK)
    pairs = {(test["a"], test["b"]) for test in document["tests"] if test["modality"] == "ct"}
    assert pairs == {("plain", "adversarial"), ("plain", "original"), ("adversarial", "original")}
    same = [test for test in document["tests"] if (test["a"], test["b"]) == ("plain", "original")]
    for test in same:
        if test["test"] == "clustered_permutation":
            assert (test["p"], test["effect"]["value"]) == (1.0, 0.0)
            assert test["verdict"].startswith("no difference shown")
    # ten rows of 80: what a test at Holm's first step needs at least
    accuracy = next(test for test in same if test["test"] == "mcnemar_midp")
    assert accuracy["smallest_detectable"] == pytest.approx(10 / 80)
    # of the mean of several trainings a difference may be smaller than a row: one training answers it otherwise
    trainings = len(predictions["plain"]["ct"].predicted)
    accuracy = next(test for test in same if (test["test"], test["metric"]) == ("clustered_permutation", "accuracy"))
    assert trainings > 1 and accuracy["smallest_detectable"] == pytest.approx(10 / 80 / trainings)


def test_one_arm_one_seed_one_class_still_makes_a_document():
    table = Rows.binary([1, 1, 1], [0.2, 0.8, 0.9], ids=["a", "b", "c"])
    document = build_comparison({"only": {"xray": table}}, settings=QUICK)
    assert document["tests"] == [] == document["verdicts"]
    assert document["modalities"]["xray"]["only"]["auc"]["value"] is None
    json.dumps(document, allow_nan=False)
    assert "undefined" in comparison_table(document)
    assert "3 of 3 rows have no patient id" in comparison_table(document)
    two = build_comparison({"a": {"xray": table}, "b": {"xray": table}}, settings=QUICK)
    aucs = [test for test in two["tests"] if test["metric"] == "auc"]
    assert aucs[0]["p"] is None
    assert aucs[0]["verdict"].startswith("not tested")
    json.dumps(two, allow_nan=False)


def test_undefined_folds_are_left_out(predictions, resplits):
    resplits.values["plain"]["ct"][0, 1] = np.nan
    document = build_comparison(predictions, resplits, settings=QUICK)
    folds = {
        test["metric"]: test["n"]
        for test in document["tests"]
        if test["modality"] == "ct" and test["family"] == "resplits"
    }
    assert folds == {"accuracy": 5, "auc": 4}
    assert document["resplits"]["ct"]["plain"]["auc"]["folds"] == 4


def test_bad_input_is_refused(predictions):
    table = predictions["plain"]["ct"]
    with pytest.raises(DataError, match="no predictions"):
        build_comparison({})
    flipped = Rows.binary(1 - table.truth, table.probabilities[..., 1], table.patients, table.ids)
    with pytest.raises(DataError, match="labels of 'a' and 'b' differ"):
        build_comparison({"a": {"ct": table}, "b": {"ct": flipped}}, settings=QUICK)
    elsewhere = Rows.binary(table.truth, table.probabilities[..., 1], table.patients, np.char.add("z", table.ids))
    with pytest.raises(DataError, match="share no ct id"):
        build_comparison({"a": {"ct": table}, "b": {"ct": elsewhere}}, settings=QUICK)
    with pytest.raises(DataError, match="occurs twice"):
        Rows.binary([0, 1], [0.1, 0.2], ids=["a", "a"])
    with pytest.raises(DataError, match="2 ids, 1 patient ids"):
        Rows.binary([0, 1], [0.1, 0.2], [""], ["a", "b"])
    with pytest.raises(DataError, match="expected .K, 2."):
        Resplits(("accuracy", "auc"), {"a": {"ct": np.zeros((5, 3))}}, 0.25)
    with pytest.raises(DataError, match="4 resplits, another has 5"):
        Resplits(("auc",), {"a": {"ct": np.zeros((5, 1))}, "b": {"ct": np.zeros((4, 1))}}, 0.25)


def test_table_lines_up(predictions, resplits):
    text = comparison_table(build_comparison(predictions, resplits, settings=QUICK))
    blocks = [block for block in text.split("\n\n") if block.startswith("|")]
    assert len(blocks) == 9  # of each modality the trainings and their ensemble; tests of the ensemble, of none and of resplits
    for block in blocks:
        assert len({len(line) for line in block.splitlines()}) == 1
    assert "CT: 80 rows of 40 patients, 40 positive" in text
    assert "no difference shown at this sample size" in text
    assert "; mean of 2 to 3 trainings [95 % interval] ± training noise\n" in text
