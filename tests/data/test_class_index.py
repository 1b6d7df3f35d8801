"""The index of several classes: positions, rows, patients, and classes that are not there."""

from __future__ import annotations

import pandas as pd
import pytest

from pipeline.data.class_index import class_index_of
from pipeline.engine.errors import DataError


@pytest.fixture
def frame():
    rows = [
        (f"{label}{split}{number}", "xray", label, split, "" if number else f"p{label}{split}", "s", number)
        for label in ("B", "A", "C") for split in ("train", "valid", "test") for number in range(2)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["id", "modality", "label", "split", "patient_id", "source", "has_mask"])
    return table.assign(row=range(len(table)))


def test_all_classes_sorted_by_default(frame):
    index = class_index_of(frame, "xray")
    assert index.class_names == ("A", "B", "C") and len(index.ids) == 18
    assert [index.class_names[k] for k in index.class_index] == frame["label"].tolist()
    assert index.has_mask.tolist() == [False, True] * 9


def test_named_classes_keep_their_order_and_their_rows(frame):
    index = class_index_of(frame, "xray", ["C", "B"])
    assert index.class_names == ("C", "B")
    assert index.rows.tolist() == [*range(6), *range(12, 18)]
    assert index.class_index.tolist() == [1] * 6 + [0] * 6
    assert index.rows[index.positions("valid")].tolist() == [2, 3, 14, 15]


def test_a_scan_without_a_patient_is_a_patient_of_its_own(frame):
    index = class_index_of(frame, "xray")
    assert index.patients[0] == "pBtrain" and index.patients[1] == "scan:Btrain1"


def test_what_is_not_there_is_named(frame):
    with pytest.raises(DataError, match="class 'D'"):
        class_index_of(frame, "xray", ["A", "D"])
    with pytest.raises(DataError, match="only the class"):
        class_index_of(frame, "xray", ["A"])
    with pytest.raises(DataError, match="valid: no scan of class 'A'"):
        class_index_of(frame[~((frame.label == "A") & (frame.split == "valid"))], "xray")
