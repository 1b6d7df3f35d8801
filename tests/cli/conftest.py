"""A command line, called in this process."""

from __future__ import annotations

import sys

import pytest

import pipeline.cli.app as application


@pytest.fixture
def command(monkeypatch, capsys):
    """``command(*words)`` → (exit code, stdout, stderr), on a terminal of 200 columns."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setenv("COLUMNS", "200")

    def command(*words):
        code = application.main((), [str(word) for word in words])
        return code, *capsys.readouterr()

    return command
