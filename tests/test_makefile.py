"""`make` says which Python it lacks, and never mixes two."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# `make test PYTHON=…` tells its own variables to every make below it, above what that is told itself by the Makefile.
TOLD = ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "PYTHON", "VENV")
OUTSIDE = {name: value for name, value in os.environ.items() if name not in TOLD}
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def python(path: Path, version: str) -> Path:
    """A program that answers as a Python of that version does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {version}\n" if version else "#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
    path.chmod(0o755)
    return path


def check(folder: Path, environment: str | None = None, **given: str) -> subprocess.CompletedProcess:
    """`make python` with variables, where an environment of the version `environment` is, or none."""
    if environment is not None:
        python(folder / "venv" / "bin" / "python", environment)
    words = [f"{name}={value}" for name, value in {"VENV": str(folder / "venv"), **given}.items()]
    return subprocess.run(["make", "-s", "python", *words], cwd=ROOT, env=OUTSIDE, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("version", ["3.11", "3.12"])
def test_a_supported_python_is_taken(tmp_path, version):
    asked = {"PYTHON": str(python(tmp_path / "python", version))}
    assert check(tmp_path, **asked).returncode == 0
    assert check(tmp_path, version, **asked).returncode == 0
    assert check(tmp_path, version).returncode == 0


@pytest.mark.parametrize("version", ["2.7", "3.9", "3.10", "3.13", "3.14"])
def test_another_python_is_refused_with_what_is_needed(tmp_path, version):
    for done in (check(tmp_path, PYTHON=str(python(tmp_path / "python", version))), check(tmp_path, version)):
        assert done.returncode == 2 and f"is Python {version}. Python 3.11 or 3.12 is needed" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("broken", ["no-such-python", "broken"])
def test_a_python_that_does_not_run_is_said(tmp_path, broken):
    program = broken if broken != "broken" else str(python(tmp_path / "python", ""))
    done = check(tmp_path, PYTHON=program)
    assert done.returncode == 2 and f"{program} does not run. Python 3.11 or 3.12 is needed" in done.stderr


@pytest.mark.parametrize(("there", "asked"), [("3.11", "3.12"), ("3.12", "3.11")])
def test_an_environment_of_the_other_python_is_noticed(tmp_path, there, asked):
    done = check(tmp_path, there, PYTHON=str(python(tmp_path / "python", asked)))
    assert done.returncode == 2
    assert f"{tmp_path / 'venv'} is of Python {there}, {tmp_path / 'python'} is {asked}." in done.stderr
    assert "VENV=DIR" in done.stderr


def test_setting_up_looks_at_the_python_first(tmp_path):
    done = subprocess.run(
        ["make", "-s", "setup", f"VENV={tmp_path / 'venv'}", f"PYTHON={python(tmp_path / 'python', '3.10')}"],
        cwd=ROOT, env=OUTSIDE, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and "is Python 3.10" in done.stderr and not (tmp_path / "venv").exists()
