"""Commands that a refusal prints are typed in the system's own shell."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from pipeline.engine import invocation
from pipeline.engine.invocation import Invocation

SPACED = Invocation(Path("runs/my run"), Path("c.yaml"), Path("data"), ("s04.epochs=20",))


@pytest.mark.posix
def test_a_command_can_be_typed_in_a_shell():
    words = shlex.split("python run_pipeline.py run -c c.yaml --out 'runs/my run' --data data --set s04.epochs=20")
    assert shlex.split(SPACED.run("s02", "s04")) == [*words, "--from", "s02", "--to", "s04"]
    assert shlex.split(SPACED.run(only=("s02",), force=True)) == [*words, "--only", "s02", "--force"]


def test_windows_takes_double_quotes_only(monkeypatch):
    monkeypatch.setattr(invocation, "ON_WINDOWS", True)
    told = SPACED.run("s02")
    assert f'--out "{Path("runs/my run")}"' in told and "'" not in told
    assert os.fspath(Path("c.yaml")) in told
