"""What would work on Linux alone is found without another system: encodings, POSIX's own names, names of files, line ends."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import mypy
import pytest

from pipeline.engine.config import build_run_config, load_run_config
from pipeline.engine.errors import ConfigError
from pipeline.engine.file_names import is_legal
from stages import STAGES

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [ROOT / "run_pipeline.py", *sorted((ROOT / "pipeline").rglob("*.py")), *sorted((ROOT / "stages").rglob("*.py"))]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
STANDARD_LIBRARY = Path(mypy.__file__).parent / "typeshed" / "stdlib"
# Whose attributes differ between systems.
DIFFERING = ("os", "signal", "select", "time", "socket")
# Functions that read or write text, and which of their arguments is the mode or, of those without a mode, the encoding.
WITH_MODE = {"open": 1, "fdopen": 1, "TemporaryFile": 0, "NamedTemporaryFile": 0, "SpooledTemporaryFile": 1}
TEXT_ONLY = {"read_text": 0, "write_text": 1, "TextIOWrapper": 1}
# Tables: pandas takes UTF-8 where it is not told, on every system.
PROCESSES = {"run", "Popen", "check_output", "check_call"}


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# ---------------------------------------------------------------------------------------------------- encodings


def texts_without_encoding(tree: ast.Module) -> Iterator[ast.Call]:
    """Calls that read or write text in whatever encoding the system is set to."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or any(word.arg in ("encoding", None) for word in call.keywords):
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        bare = name in TEXT_ONLY and len(call.args) <= TEXT_ONLY[name]
        piped = name in PROCESSES and any(word.arg in ("text", "universal_newlines") for word in call.keywords)
        if bare or piped or (name in WITH_MODE and not _is_foreign(call) and _opens_text(call, name)):
            yield call


def _is_foreign(call: ast.Call) -> bool:
    """`Image.open`, `os.open`, `archive.open` and the like, which open no text."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    return isinstance(owner, ast.Name) and owner.id in ("Image", "os", "archive") and call.func.attr == "open"


def _opens_text(call: ast.Call, name: str) -> bool:
    place = WITH_MODE[name] - (isinstance(call.func, ast.Attribute) and name == "open" and not _of_module(call))
    modes = [word.value for word in call.keywords if word.arg == "mode"] + call.args[place : place + 1]
    default = "r" if name in ("open", "fdopen") else "w+b"
    mode = modes[0].value if modes and isinstance(modes[0], ast.Constant) else default
    return "b" not in str(mode)


def _of_module(call: ast.Call) -> bool:
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    return isinstance(owner, ast.Name) and owner.id in ("io", "codecs", "gzip")


@pytest.mark.parametrize(("code", "found"), [
    ("path.read_text()", 1), ("path.write_text(text)", 1), ("path.open()", 1), ("path.open('w', newline='')", 1),
    ("open(path)", 1), ("open(path, 'a')", 1), ("tempfile.TemporaryFile('w+')", 1), ("subprocess.run(words, text=True)", 1),
    ("path.read_text(encoding='utf-8')", 0), ("path.read_text('utf-8')", 0), ("path.write_text(text, 'utf-8')", 0),
    ("path.open('rb')", 0), ("open(path, mode='wb')", 0), ("tempfile.TemporaryFile()", 0), ("os.open(path, flags)", 0),
    ("open(path, encoding='ascii')", 0), ("subprocess.run(words, capture_output=True)", 0), ("Image.open(file)", 0),
])  # fmt: skip
def test_what_counts_as_text_without_an_encoding(code, found):
    assert len(list(texts_without_encoding(ast.parse(code)))) == found


def test_every_text_is_read_and_written_in_a_named_encoding():
    places = [f"{relative(path)}:{call.lineno}" for path in SOURCES for call in texts_without_encoding(parsed(path))]
    assert places == []


# ------------------------------------------------------------------------------------------- POSIX's own names


def _defined(nodes: list[ast.stmt]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.AnnAssign):
            yield ast.unparse(node.target)
        elif isinstance(node, ast.Assign):
            yield from (ast.unparse(target) for target in node.targets)
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.If):
            yield from _defined(node.body + node.orelse)


def names_of(module: str, windows: bool) -> set[str]:
    """What the standard library's stubs define in a module, on Windows or on other systems."""
    folder = STANDARD_LIBRARY / module
    stub = folder / "__init__.pyi" if folder.is_dir() else folder.with_suffix(".pyi")
    kept: list[ast.stmt] = []
    for node in parsed(stub).body:
        test = ast.unparse(node.test) if isinstance(node, ast.If) else ""
        if test.startswith("sys.platform != 'win32'"):
            kept += node.orelse if windows else node.body
        elif test.startswith("sys.platform == 'win32'"):
            kept += node.body if windows else node.orelse
        else:
            kept.append(node)
    return set(_defined(kept))


POSIX_NAMES = {module: names_of(module, windows=False) - names_of(module, windows=True) for module in DIFFERING}
POSIX_MODULES = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "posix", "syslog"}


def test_what_the_stubs_know():
    assert {"fork", "wait4", "sched_getaffinity", "geteuid", "mkfifo", "killpg"} <= POSIX_NAMES["os"]
    assert {"SIGKILL", "setitimer", "ITIMER_PROF"} <= POSIX_NAMES["signal"] and "poll" in POSIX_NAMES["select"]
    assert not {"replace", "kill", "cpu_count", "symlink"} & POSIX_NAMES["os"] and "SIGINT" not in POSIX_NAMES["signal"]
    for module in POSIX_MODULES:
        functions = {"open", "fcntl", "getrlimit", "getpwnam", "getgrnam", "tcgetattr", "setraw", "spawn", "fork", "syslog"}
        assert names_of(module, windows=False) & functions and not names_of(module, windows=True) & functions, module


def unguarded(tree: ast.Module) -> list[str]:
    """Uses of POSIX's own names in a file that asks nowhere whether the module has one of them, and imports of its modules."""
    asked = {
        call.args[0].id
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("hasattr", "getattr")
        and len(call.args) > 1 and isinstance(call.args[0], ast.Name) and isinstance(call.args[1], ast.Constant)
        and call.args[1].value in POSIX_NAMES.get(call.args[0].id, ())
    }  # fmt: skip
    tried = {
        id(node)
        for attempt in ast.walk(tree) if isinstance(attempt, ast.Try)
        if any("ImportError" in ast.unparse(handler.type or ast.Constant("")) for handler in attempt.handlers)
        for statement in attempt.body for node in ast.walk(statement)
    }  # fmt: skip
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.attr in POSIX_NAMES.get(node.value.id, ()) and node.value.id not in asked:
                found.append(f"{node.lineno}: {node.value.id}.{node.attr}")
        elif isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in tried:
            origin = node.module if isinstance(node, ast.ImportFrom) else None
            names = {alias.name for alias in node.names}
            if ({origin} if origin else names) & POSIX_MODULES or names & POSIX_NAMES.get(origin or "", set()):
                found.append(f"{node.lineno}: {ast.unparse(node)}")
    return found


@pytest.mark.parametrize(("code", "found"), [
    ("import fcntl", 1), ("from resource import getrlimit", 1), ("from os import fork", 1), ("import os\nos.wait4(1, 0)", 1),
    ("try:\n    import fcntl\nexcept ImportError:\n    pass", 0), ("try:\n    import fcntl\nexcept OSError:\n    pass", 1),
    ("import os\nos.wait4(1, 0) if hasattr(os, 'wait4') else None", 0), ("import signal\nsignal.SIGINT", 0),
    ("import signal\ngetattr(signal, 'SIGPROF', 0)", 0), ("import os\nos.replace(a, b)", 0),
])  # fmt: skip
def test_what_counts_as_unguarded(code, found):
    assert len(unguarded(ast.parse(code))) == found


def test_what_only_posix_has_is_asked_for_first():
    assert {relative(path): found for path in SOURCES if (found := unguarded(parsed(path)))} == {}


def test_tests_that_need_posix_say_so():
    """A marker skips them on Windows; at the top of a file, where Windows would stumble over it, no such name is used."""
    using = {relative(path): parsed(path) for path in TESTS if unguarded(parsed(path))}
    assert using and [name for name in using if "mark.posix" not in (ROOT / name).read_text(encoding="utf-8")] == []
    for name, tree in using.items():
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            function.body = []
        assert unguarded(tree) == [], name


# ----------------------------------------------------------------------------------------------- names of files


def files_of(config: Path) -> list[str]:
    """The files of every stage that a configuration has."""
    sections = load_run_config(config, STAGES).stages
    artifacts = [artifact for stage in STAGES if stage.id in sections for artifact in stage.outputs(sections[stage.id])]
    return [artifact.file.rstrip("/") for artifact in artifacts]


@pytest.mark.parametrize("config", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_artifacts_have_names_that_every_system_takes(config):
    files = files_of(config)
    assert [file for file in files if not all(is_legal(part) for part in file.split("/"))] == []
    assert all(is_legal(stage.name) for stage in STAGES)


@pytest.mark.parametrize("name", ["a:b", "a/b", "a?", "a b", "", "con.", "ü|", "."])
def test_a_profile_that_could_name_no_file_is_refused(name):
    with pytest.raises(ConfigError, match="cannot name a file"):
        build_run_config({"system": "test", "s01": {"profiles": {name: {"modality": "xray", "size": 64}}}}, STAGES)


@pytest.mark.parametrize("name", ["con", "NUL", "größe_1", "肺"])
def test_profiles_of_any_other_name_give_legal_files(name):
    settings = build_run_config({"system": "test", "s01": {"profiles": {name: {"modality": "xray", "size": 64}}}}, STAGES)
    files = [artifact.file for artifact in STAGES[0].outputs(settings.stages["s01"])]
    assert f"pixels_{name}.npy" in files and all(is_legal(file) for file in files)


def test_profiles_that_differ_in_case_alone_are_refused():
    """Their arrays would be one file on Windows and macOS."""
    profiles = {name: {"modality": "xray", "size": 64} for name in ("Plain", "plain")}
    with pytest.raises(ConfigError, match="'Plain' and 'plain' would be one file"):
        build_run_config({"system": "test", "s01": {"profiles": profiles}}, STAGES)


def test_files_of_the_repository_have_names_that_every_system_takes():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False).stdout.decode("utf-8")
    files = [name for name in listed.split("\0") if name] or [relative(path) for path in [*SOURCES, *TESTS]]
    assert [file for file in files if not all(is_legal(part) for part in file.split("/"))] == []
    folded = [file.casefold() for file in files]
    assert len(set(folded)) == len(folded) > 400


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no git repository here")
def test_no_line_end_of_a_bundle_is_changed_by_git():
    """A bundle's files are compared with their SHA-256: git may turn none of their line ends into Windows's."""
    files = [relative(path) for path in sorted((ROOT / "pretrained").rglob("*")) if path.is_file()]
    asked = subprocess.run(["git", "check-attr", "-z", "--stdin", "text", "eol"], cwd=ROOT, capture_output=True, check=True,
                           input="\0".join(files).encode())  # fmt: skip
    words = asked.stdout.decode("utf-8").split("\0")
    told = {(words[place], words[place + 1]): words[place + 2] for place in range(0, len(words) - 2, 3)}
    changed = [file for file in files if told[file, "text"] != "unset" and told[file, "eol"] != "lf"]
    assert len(files) > 20 and changed == []
