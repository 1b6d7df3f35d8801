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


class _AnyKind(str):
    """Equal to every kind: what a gate takes a picture for that accepts all."""

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False


class _OpenGate:
    """A gate that accepts every picture as what it is given as."""

    def __init__(self) -> None:
        self.measures: dict = {}

    def judge(self, gray, colour=None, header=None, *, with_checks=False, seen=None):
        from pipeline.inference.gate.gate import Verdict

        return Verdict(_AnyKind("open"), {}, {}, "")

    def widened(self, own):
        return self


@pytest.fixture(autouse=True)
def open_gate(monkeypatch):
    """The made pictures of these tests are no scans; what asks for a real gate takes `shipped_gate`."""
    monkeypatch.setattr("pipeline.inference.gate.door.open_gate", lambda path=None, device="auto": _OpenGate())


@pytest.fixture
def shipped_gate(monkeypatch, tmp_path, open_gate):
    """A tiny gate in the place of the shipped one; returns its module."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
    import tiny_gate

    import pipeline.inference.gate.gate as gate

    monkeypatch.setattr(gate, "SHIPPED", tiny_gate.write_gate(tmp_path / "shipped_gate"))
    monkeypatch.setattr("pipeline.inference.gate.door.open_gate", gate.open_gate)
    return tiny_gate


@pytest.fixture
def undo_open_gate(monkeypatch, open_gate):
    """The gate that the repository ships."""
    import pipeline.inference.gate.gate as gate

    monkeypatch.setattr("pipeline.inference.gate.door.open_gate", gate.open_gate)
