"""The pages that the code writes are what the code is, and hold every command, option, default and help."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from pipeline.cli.app import COMMANDS, main
from pipeline.cli.lazy_group import Command, Group
from pipeline.cli.reference.command import reference_pages
from stages import STAGES

DOCS = Path(__file__).resolve().parents[2] / "docs"
AGAIN = "docs are older than the code: python run_pipeline.py reference"


def commands(group: Group = COMMANDS, above: tuple[str, ...] = ()) -> dict[tuple[str, ...], Command]:
    found = {}
    for name, entry in group.commands.items():
        found |= commands(entry, (*above, name)) if isinstance(entry, Group) else {(*above, name): entry}
    return found


@pytest.fixture(scope="module")
def sections():
    """{command: its section of cli.md}"""
    found, current = {}, ""
    for line in (DOCS / "cli.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            current = line.lstrip("# ")
        found[current] = found.get(current, "") + line + "\n"
    return found


def test_the_pages_are_what_the_code_writes():
    for path, text in reference_pages(STAGES, DOCS).items():
        assert path.read_text(encoding="utf-8") == text, AGAIN


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_has_its_options_defaults_and_help(words, sections):
    command, section = commands()[words].load(words[-1]), " ".join(sections[" ".join(words)].replace("&lt;", "<").split())
    assert " ".join(command.help.split()) in section
    for parameter in command.params:
        assert parameter.help, f"{parameter.name} says nothing of itself"
        assert " ".join(parameter.help.split()) in section
        for word in parameter.opts if parameter.param_type_name == "option" else ():
            assert word in section
        default = parameter.get_default(typer.Context(command))
        if isinstance(default, str | int | float | Path) and not isinstance(default, bool):
            assert f"[default: {default}" in section


def test_an_edited_page_is_written_anew(tmp_path, capsys):
    text = (DOCS / "outputs.md").read_text(encoding="utf-8")
    (tmp_path / "outputs.md").write_text(text.replace("gray level, 0 to 255", "something else"), encoding="utf-8")
    assert main(STAGES, ["reference", "--docs", str(tmp_path)]) == 0
    pages = ("cli.md", "configuration.md", "outputs.md", "openapi.json")
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / name) for name in pages]
    for name in pages:
        assert (tmp_path / name).read_bytes() == (DOCS / name).read_bytes()


def test_a_folder_without_a_place_for_it_is_refused(tmp_path, capsys):
    assert main(STAGES, ["reference", "--docs", str(tmp_path)]) == 4
    (tmp_path / "outputs.md").write_text("nothing")
    assert main(STAGES, ["reference", "--docs", str(tmp_path)]) == 4
    assert "reference: begin" in capsys.readouterr().err and not (tmp_path / "cli.md").exists()


def test_it_imports_no_tensorflow(tmp_path):
    code = (
        "import sys; from pathlib import Path; from stages import STAGES;"
        "from pipeline.cli.reference.command import reference_pages;"
        "reference_pages(STAGES, Path('docs')); print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=DOCS.parent, capture_output=True, text=True, env=dict(os.environ))
    assert done.stdout.strip() == "False", done.stderr
