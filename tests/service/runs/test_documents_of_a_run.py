"""JSON of a run as lines: where each value stands, intervals in a word, long lists by their length."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from pipeline.service.runs.documents import SHOWN_LINES, document_of
from pipeline.service.runs.run_files import AbsentError


def lines(value) -> list[tuple[str, str]]:
    return document_of(json.dumps(value).encode()).lines


def test_every_value_stands_where_its_keys_lead():
    value = {"test": {"auc": {"value": 0.9123, "low": 0.5, "high": 1}, "n": 3, "f1": {"value": None, "low": None, "high": None}},
             "confusion": [[6, 4], [14, 36]], "folds": [{"auc": 0.12345678}, {"auc": None}], "empty": {}, "none": [], "is": True,
             "long": list(range(200)), "word": "<b>"}  # fmt: skip
    assert lines(value) == [
        ("test › auc", "0.912 [0.500, 1.000]"), ("test › n", "3"), ("test › f1", "undefined"), ("confusion", "[[6, 4], [14, 36]]"),
        ("folds 1 › auc", "0.123457"), ("folds 2 › auc", "null"), ("empty", "{}"), ("none", "[]"), ("is", "true"), ("long", "(200)"),
        ("word", "<b>"),
    ]  # fmt: skip
    assert lines({"value": "x", "low": 1, "high": 2}) == [("value", "x"), ("low", "1"), ("high", "2")]
    assert lines({"value": 1, "low": 0, "high": 2, "n": 3})[-1] == ("n", "3")
    assert lines(3) == [("", "3")] and lines(["a", "b"]) == [("", '["a", "b"]')]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 200_000, b"1 2"])
def test_what_is_no_json_is_said(content):
    with pytest.raises(AbsentError):
        document_of(content)


def test_of_many_values_the_first_are_shown(run, browse):
    (run / "s02_training" / "metrics.json").write_text(json.dumps({f"<i>{number}": number for number in range(2000)}))
    page = browse(run).get(f"/runs/{quote(run.name, safe='')}/read/s02_training/metrics.json")
    assert page.status_code == 200 and f"The first {SHOWN_LINES} of 2000 values." in page.text and "<i>" not in page.text
    assert page.text.count('<th scope="row">') == SHOWN_LINES
    (run / "s02_training" / "metrics.json").write_text("no")
    assert browse(run).get(f"/runs/{quote(run.name, safe='')}/read/s02_training/metrics.json").status_code == 404
