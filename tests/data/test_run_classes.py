"""The classes of a run: their numbers, and what cannot be told apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.data.run_classes import RunClasses
from pipeline.data.scan_index import COLUMNS, labelled_index, modality_index
from pipeline.engine.errors import DataError


def dataset(*names, positive=None):
    return {"class_names": list(names), "positive_class": positive}


def frame(labels: dict[str, str]) -> pd.DataFrame:
    """A scan of each label letter in each split, by modality."""
    rows = [
        (f"{modality}{split}{label}", modality, number, label, split, "", "", "", 0)
        for modality, letters in labels.items()
        for number, (split, label) in enumerate((split, label) for split in ("train", "valid", "test") for label in letters)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_of_two_the_positive_one_is_number_one_wherever_it_stands():
    for names in (("A", "B"), ("B", "A")):
        classes = RunClasses.of(dataset(*names, positive="A"))
        assert classes.names == ("B", "A") and classes.numbers(["A", "B"]).tolist() == [1, 0]
    np.testing.assert_array_equal(classes.shares([0.25, 1.0]), [[0.75, 0.25], [0.0, 1.0]])


def test_of_three_they_keep_their_order_with_a_positive_one_or_without():
    for positive in (None, "b"):
        classes = RunClasses.of(dataset("a", "b", "c", positive=positive))
        assert classes.names == ("a", "b", "c") and classes.positive is None and classes.numbers(["c", "a"]).tolist() == [2, 0]
    assert classes.shares([[0.5, 0.25, 0.25]]).tolist() == [[0.5, 0.25, 0.25]]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (dataset("TB", "tb", positive="TB"), "differ in case"),
        (dataset("Non TB", "NonTB", "TB"), "differ in case, blanks"),
        (dataset("TB", positive="TB"), "the class TB alone"),
        (dataset("TB", "Healthy"), "None of TB and Healthy is the positive class"),
        (dataset("TB", "Healthy", positive="COVID"), "None of TB and Healthy is the positive class"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(told, said):
    with pytest.raises(DataError, match=said):
        RunClasses.of(told)


def test_two_classes_are_indexed_as_the_positive_one_against_the_other():
    table = frame({"xray": "AB", "ct": "BA"})
    for modality in ("xray", "ct"):
        mine = labelled_index(table, modality, RunClasses.of(dataset("A", "B", positive="A")))
        assert mine.labels.tolist() == modality_index(table, modality, "A").labels.tolist() and mine.labels.dtype == np.int8


def test_a_class_that_a_modality_or_a_split_lacks_is_named():
    classes = RunClasses.of(dataset("A", "B", "C", "D"))
    with pytest.raises(DataError, match="ct: there are scans of A, B, and none of C, D") as refused:
        labelled_index(frame({"xray": "ABCD", "ct": "AB"}), "ct", classes)
    assert "s01.data.labels" in refused.value.remedy
    table = frame({"xray": "ABCD"})
    with pytest.raises(DataError, match="xray, valid: no scan of class 'C'"):
        labelled_index(table[table["id"] != "xrayvalidC"], "xray", classes)
