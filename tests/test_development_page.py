"""What docs/development.md and the hosted workflow say can be typed: every make target, commands that exist, no make."""

from __future__ import annotations

import re
import shlex
import tomllib
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.cli.app import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "development.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
WORKFLOW = YAML(typ="safe").load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
STEPS = WORKFLOW["jobs"]["test"]["steps"]
LINES = [line for step in STEPS for line in step.get("run", "").splitlines() if line.strip()]
# | `make target` | what stands for it |
ROWS = {row[1]: re.findall(r"`([^`]+)`", row[2]) for row in re.finditer(r"^\| `make ([\w-]+)` \| (.+) \|$", PAGE, re.MULTILINE)}


def recipe(target: str) -> list[str]:
    """A target's own lines, as they are typed in the environment."""
    found = re.search(rf"^{target}:[^\n]*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    # A variable that only silences a notice is set in no row: its form differs from shell to shell.
    lines = [re.sub(r"^[A-Z0-9_]+=\S+ ", "", line.strip()) for line in found[1].splitlines()] if found else []
    typed = [re.sub(r"\$\(RUN\)", "python", line).replace("$(VENV)/bin/", "").replace("$(WORKERS)", "2") for line in lines]
    return [re.sub(r" --quiet --disable-pip-version-check", "", line) for line in typed]


def exists(line: str) -> bool:
    """Whether what a line calls is here."""
    words = shlex.split(line)
    if words[:2] == ["python", "run_pipeline.py"]:
        return words[2] in COMMANDS.commands
    if words[:2] == ["python", "-m"]:
        return find_spec(words[2]) is not None
    return words == ["python", "--version"] or any(script.name == words[0] for script in entry_points(group="console_scripts"))


def test_every_target_of_make_has_its_row():
    phony = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    assert set(ROWS) == set(phony[1].split()) and all(ROWS.values())


@pytest.mark.parametrize("target", ["demo", "test-slow", "test-realdata", "bench", "docs"])
def test_a_row_says_what_the_target_does(target):
    assert ROWS[target] == recipe(target)


def test_the_longer_rows_say_what_their_targets_do():
    lint = [re.sub(r"^(ruff|mypy)\b", r"python -m \1", line) for line in recipe("lint")]
    assert ROWS["lint"] == lint and ROWS["test"] == recipe("test")
    weights = re.search(r"^TEXT_WEIGHTS := (.+)$", MAKEFILE, re.MULTILINE)[1]
    installing = [line for line in recipe(re.escape("$(VENV)/.installed")) if " pip install " in line]
    setup = [line.replace("$(TEXT_WEIGHTS)", weights) for line in installing]
    assert ROWS["setup"] == setup and len(setup) == 2
    removed = recipe("clean")[0].removeprefix("rm -rf ").split()
    assert ROWS["clean"] == removed


@pytest.mark.parametrize("line", sorted({line for row in ROWS.values() for line in row if " " in line}))
def test_what_a_row_calls_exists(line):
    assert exists(line)


def test_a_command_that_is_not_there_is_found():
    assert not any(map(exists, ("python -m no_such_module", "python run_pipeline.py nothing", "no-such-script")))


def test_the_workflow_runs_on_three_systems_and_all_pythons():
    matrix = WORKFLOW["jobs"]["test"]["strategy"]["matrix"]
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "windows", "macos"}
    supported = re.search(r"^SUPPORTED := (.+)$", MAKEFILE, re.MULTILINE)[1].split()
    assert matrix["python"] == supported and all(isinstance(version, str) for version in matrix["python"])
    assert WORKFLOW["jobs"]["test"]["strategy"]["fail-fast"] is False and set(WORKFLOW["on"]) == {"push", "pull_request"}


@pytest.mark.parametrize("line", LINES)
def test_what_the_workflow_calls_exists_and_needs_no_make(line):
    words = shlex.split(line)
    assert exists(line) and "make" not in words and not {"&&", "|", "export", "source"} & set(words)
    assert "://" not in line and "--index-url" not in words


def test_the_workflow_installs_lints_and_tests_as_make_does():
    wanted = [*ROWS["setup"], "python run_pipeline.py doctor", *ROWS["lint"], *ROWS["test"]]
    assert wanted == LINES
    (python,) = (step["with"] for step in STEPS if step.get("uses", "").startswith("actions/setup-python@"))
    assert python["cache"] == "pip" and (ROOT / python["cache-dependency-path"]).is_file()
    assert WORKFLOW["jobs"]["test"]["env"]["PYTHONUTF8"] == "1" and WORKFLOW["permissions"] == {"contents": "read"}


def test_the_pages_marker_is_a_marker():
    markers = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]["markers"]
    assert "`posix`" in PAGE and any(marker.startswith("posix:") for marker in markers)
