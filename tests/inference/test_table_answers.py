"""The table of answers."""

from __future__ import annotations

import csv
from pathlib import Path

from pipeline.data.layouts.pair_table import PairRow
from pipeline.inference.answers import Answer
from pipeline.inference.multitask.table_answers import write_answers


def test_answers_are_written_a_row_a_modality(tmp_path):
    both = PairRow("a", Path("x"), Path("c"), {"label": "COVID"})
    rows = [
        (both, [Answer("xray", 1 / 3, "Non_COVID"), Answer("ct", error="b,ad")]),
        (PairRow("b", Path("x"), None, {"label": ""}), [Answer("xray", 1e-12, "Non_COVID")]),
    ]
    write_answers(tmp_path / "answers.csv", rows)
    with (tmp_path / "answers.csv").open(newline="") as stream:
        header, *found = list(csv.reader(stream))
    assert header == ["id", "modality", "probability", "predicted", "error", "label"]
    assert found == [
        ["a", "xray", "0.333333333", "Non_COVID", "", "COVID"],
        ["a", "ct", "", "", "b,ad", "COVID"],
        ["b", "xray", "1e-12", "Non_COVID", "", ""],
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["answers.csv"]
