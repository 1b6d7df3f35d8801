"""A command line, called in this process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import pipeline.cli.app as application

sys.path.insert(0, str(Path(__file__).parent))  # made_runs lies beside this file


@pytest.fixture
def command(monkeypatch, capsys):
    """``command(*words)`` → (exit code, stdout, stderr), on a terminal of 200 columns."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setenv("COLUMNS", "200")

    def command(*words):
        code = application.main((), [str(word) for word in words])
        return code, *capsys.readouterr()

    return command
