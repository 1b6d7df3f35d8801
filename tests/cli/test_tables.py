"""Tables of a terminal: nothing of them is cut off, however narrow it is."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from pipeline.cli.telling.tables import TitledTable, show

METRICS = ("balanced accuracy", "sensitivity", "specificity", "AUC", "macro-F1")
INTERVAL = "0.842 [0.790, 0.890]"
ROWS = [["female", "120", *[INTERVAL] * 5], ["male (small)", "7", *[INTERVAL] * 5], [], ["everybody", "", *[INTERVAL] * 5]]


def printed(table, width):
    stream = io.StringIO()
    Console(file=stream, width=width, highlight=False, markup=False, emoji=False).print(table)
    return stream.getvalue()


@pytest.mark.parametrize("width", [50, 60, 80, 100, 120, 200])
def test_no_word_and_no_number_is_cut_off(width):
    text = printed(TitledTable("By sex", ["sex"], ["patients", *METRICS], ROWS), width)
    assert "…" not in text and max(map(len, text.splitlines())) <= width
    assert text.count(INTERVAL) == 15 and text.count("By sex") == 1
    for metric in METRICS:
        assert text.count(metric) == 1
    assert text.count("everybody") == text.count("male (small)") == text.count("female")


def test_a_terminal_that_is_wide_enough_has_one_table():
    table = TitledTable("t", ["a"], ["b", "c"], [["x", "1", "2"]])
    assert printed(table, 80).count("x") == 1 and printed(table, 12).count("x") == 2


def test_words_wider_than_the_terminal_are_folded():
    text = printed(TitledTable("t", ["source"], ["scans"], [["x" * 100, "12"]]), 40)
    assert text.count("x") == 100 and "12" in text and "…" not in text


def test_a_command_stays_on_one_line(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    command = "predict --run " + "/".join(["a folder with a long name"] * 6)
    show(command, TitledTable("t", ["a"], ["b"], [["x", "1"]]))
    assert capsys.readouterr().out.splitlines()[0] == command
