"""The table of commands: what it lists is what they say of themselves, and a command is imported when it is called."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli.app import COMMANDS
from pipeline.cli.lazy_group import Command, Group

ROOT = Path(__file__).resolve().parents[2]


def entries(group: Group, before: tuple[str, ...] = ()) -> dict[tuple[str, ...], Command]:
    found = {}
    for name, entry in group.commands.items():
        place = (*before, name)
        found |= entries(entry, place) if isinstance(entry, Group) else {place: entry}
    return found


@pytest.mark.parametrize(("words", "entry"), entries(COMMANDS).items(), ids=" ".join)
def test_a_command_is_listed_with_its_own_first_sentence(words, entry):
    command = entry.load(words[-1])
    assert " ".join(command.help.split("\n\n")[0].split()) == entry.summary
    assert command.name == words[-1]


@pytest.mark.parametrize(
    ("words", "loaded"),
    [
        (["--help"], set()),
        (["data", "--help"], set()),
        (["nothing"], set()),
        (["validate", "--help"], {"pipeline.cli.validate_command"}),
        (["data", "download", "--help"], {"pipeline.cli.data.download"}),
    ],
    ids=" ".join,
)
def test_only_the_command_that_is_called_is_imported(words, loaded):
    places = sorted({entry.place.partition(":")[0] for entry in entries(COMMANDS).values()})
    script = (
        "import sys; from pipeline.cli.app import main; "
        f"main((), {words!r}); print(sorted(set({places!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == str(sorted(loaded))


@pytest.mark.parametrize(
    ("words", "near"), [(["pedict"], "'predict'"), (["data", "phantoms"], "'phantom'"), (["bundle", "amand"], "'amend'")]
)
def test_a_mistyped_command_is_refused_with_the_near_one(command, words, near):
    code, out, err = command(*words)
    assert code == 2 and out == ""
    assert f"No such command {words[-1]!r}" in err and "Did you mean" in err and near in err
