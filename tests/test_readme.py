"""Everything in the README runs: it is short, its commands parse, as do those of the guides (fast), and they succeed (slow)."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli.app import COMMANDS
from pipeline.cli.lazy_group import Group

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 120
PROGRAM = re.compile(r"^(?:\S*python\S*) run_pipeline\.py (.+)$")


def commands(page: Path) -> list[list[str]]:
    """The command lines of a page's blocks, in their order, without the words before the command."""
    blocks = re.findall(r"^```(?:sh)?\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(found[1], comments=True) for line in lines if (found := PROGRAM.match(line.strip()))]


def parsed(words: list[str]):
    """The command line as its command understands it; raises where an option is unknown or a word is missing."""
    group, rest = COMMANDS, list(words)
    while isinstance(group, Group):
        name = rest.pop(0)
        group = group.commands[name]
    return group.load(name).make_context(name, rest).params


README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
WRITTEN = [pytest.param(words, id=f"{page.name}: {' '.join(words)}") for page in PAGES for words in commands(page)]


def test_the_readme_opens_with_the_two_commands():
    first_block = re.search(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert first_block and [line.split()[1] for line in first_block[1].strip().splitlines()] == ["demo", "test"]


def test_the_readme_is_read_in_five_minutes():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_the_lines_without_make_are_those_of_the_makefile():
    makefile, readme = (ROOT / "Makefile").read_text(encoding="utf-8"), README.read_text(encoding="utf-8")
    given = dict(re.findall(r"^(\w+) [:?]= (.*)$", makefile, flags=re.MULTILINE))
    installed = re.findall(r"\$\(RUN\) (-m pip install .*)$", makefile, flags=re.MULTILINE)
    tested = re.findall(r"^test: .*\n\t\$\(RUN\) (-m pytest .*)$", makefile, flags=re.MULTILINE)
    assert len(installed) == 2 and len(tested) == 1
    for line in [*installed, *tested]:
        words = re.sub(r"\$\(([A-Z_]+)\)", lambda name: given[name[1]], line.replace("--quiet --disable-pip-version-check ", ""))
        assert f".venv/bin/python {words}\n" in readme


@pytest.mark.parametrize("words", WRITTEN)
def test_a_command_that_is_written_down_parses(words):
    parsed(words)


def test_every_page_was_looked_at():
    assert len(commands(README)) >= 12 and len(WRITTEN) >= 30


@pytest.mark.parametrize("words", [["run", "--colour", "red"], ["segment", "--out", "x"], ["data", "phantom"]])
def test_a_wrong_command_does_not_parse(words):
    with pytest.raises(Exception, match="No such option|Missing"):
        parsed(words)


@pytest.mark.slow
def test_the_readme_typed_in_word_for_word(tmp_path):
    for name in ("pipeline", "stages", "configs", "pretrained", "run_pipeline.py"):
        source = ROOT / name
        shutil.copytree(source, tmp_path / name) if source.is_dir() else shutil.copy(source, tmp_path / name)
    for words in commands(README):
        done = subprocess.run([sys.executable, "run_pipeline.py", *words], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
