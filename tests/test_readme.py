"""Everything in the README runs: its options exist (fast), and its commands succeed as typed (slow)."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    lines = [line.split("#")[0].split() for block in blocks for line in block.splitlines() if line.strip()]
    return [words[2:] for words in lines if words[:2] == [".venv/bin/python", "run_pipeline.py"]]


def test_the_readme_opens_with_the_two_commands():
    first_block = re.search(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    assert first_block and [line.split()[1] for line in first_block[1].strip().splitlines()] == ["demo", "test"]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_option_in_the_readme_exists(words):
    plain = [word for word in words if not word.startswith("-")]
    path = plain[:2] if plain[0] == "data" else plain[:1]
    shown = subprocess.run([sys.executable, "run_pipeline.py", *path, "--help"], cwd=ROOT, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    for option in (word for word in words if word.startswith("-")):
        assert option in shown.stdout, f"{option} is not an option of {' '.join(path)}"


def test_files_and_pictures_that_the_readme_names_exist():
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    missing = [target for target in targets if "://" not in target and not (ROOT / target).exists()]
    assert not missing


@pytest.mark.slow
def test_the_readme_typed_in_word_for_word(tmp_path):
    for name in ("pipeline", "stages", "configs", "pretrained", "run_pipeline.py"):
        source = ROOT / name
        shutil.copytree(source, tmp_path / name) if source.is_dir() else shutil.copy(source, tmp_path / name)
    for words in commands():
        done = subprocess.run([sys.executable, "run_pipeline.py", *words], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
