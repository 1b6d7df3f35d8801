"""The house's own rules: rooms of a size that can be overlooked, a system named in one place, one opener of graphs."""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from pipeline import systems
from tests.conftest import TINY_RUN, group_of

PIPELINE = Path(systems.__file__).parent
LARGEST_ROOM = 15
ROOMS = sorted({path.parent for path in PIPELINE.rglob("*.py")})


@cache
def strings_of(path: Path) -> set[str]:
    """Every string constant of a module that is no docstring, parts of f-strings among them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose
    }


def layer_of(path: Path) -> str:
    return path.relative_to(PIPELINE).parts[0]


@pytest.mark.parametrize("room", [room for room in ROOMS if room.name != "engine"], ids=lambda room: room.name)
def test_a_room_holds_few_files_and_says_what_lives_there(room):
    files = list(room.glob("*.py"))
    assert len(files) <= LARGEST_ROOM, sorted(path.name for path in files)
    said = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
    assert said and len(said.splitlines()[0]) > 10


@pytest.mark.parametrize("name", [system.name for system in systems.SYSTEMS])
def test_a_system_is_named_in_the_registry_and_in_at_most_one_file_a_layer(name):
    places = defaultdict(list)
    for path in PIPELINE.rglob("*.py"):
        if path.name != "systems.py" and name in strings_of(path):
            places[layer_of(path)].append(path.relative_to(PIPELINE).as_posix())
    assert {layer: files for layer, files in places.items() if len(files) > 1} == {}


def test_one_file_opens_graphs_and_one_writes_intervals():
    def holding(text: str) -> list[str]:
        files = [path for path in PIPELINE.rglob("*.py") if text in path.read_text(encoding="utf-8")]
        return sorted(path.relative_to(PIPELINE).as_posix() for path in files)

    assert holding("InferenceSession(") == ["inference/sessions.py"]
    assert holding("CPUExecutionProvider") == ["inference/sessions.py"]
    assert holding("['low']:.3f}") == holding('["low"]:.3f}') == []


def arguments_of(path: Path) -> dict[str, set[str]]:
    """What each function of a test file asks for."""
    functions = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef))
    return {function.name: {argument.arg for argument in function.args.args} for function in functions}


def test_files_that_share_the_tiny_run_are_tested_in_one_process():
    """In two it would be trained twice."""
    tests = Path(__file__).parent
    shared = {"tiny_inputs"}
    for _ in range(3):
        shared |= {name for name, asked in arguments_of(tests / "stages" / "conftest.py").items() if asked & shared}
    files = [path for path in tests.rglob("test_*.py") if any(asked & shared for asked in arguments_of(path).values())]
    assert len(files) >= 4 and {"tiny_run", "run_tiny", "compiled_run"} <= shared
    assert {group_of(path.relative_to(tests.parent).as_posix()) for path in files} == {TINY_RUN}
