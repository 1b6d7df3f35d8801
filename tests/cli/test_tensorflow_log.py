"""TensorFlow starts quietly in commands, unless its log is asked for; errors are never lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTICES = """\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795684807.076686   13008 port.cc:153] oneDNN custom operations are on. You may see slightly different results.
W0000 00:00:1795684807.076686   13008 cudart_stub.cc:31] Could not find cuda drivers on your machine.
To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow with the appropriate compiler flags.
"""
ERRORS = """\
E0000 00:00:1795684816.429131   13008 cuda_dnn.cc:8310] Unable to register cuDNN factory
Illegal instruction nearby
"""
# A package of TensorFlow's name that writes as C++ does, below Python's own streams.
TALKATIVE = f"""\
import os, sys
os.write(2, {NOTICES.encode()!r})
print("a line of Python's", file=sys.stderr)
os.write(2, {ERRORS.encode()!r})
level = os.environ.get("TF_CPP_MIN_LOG_LEVEL")
if "BROKEN" in os.environ:
    raise ImportError("no such symbol")
"""
IMPORTING = """\
import sys
from pipeline.cli.app import main
main((), sys.argv[1:])
import tensorflow
import os
os.write(2, b"after\\n")
print("level", tensorflow.level, "file", tensorflow.__spec__.origin)
"""


@pytest.fixture
def talkative(tmp_path):
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow" / "__init__.py").write_text(TALKATIVE, encoding="utf-8")
    return tmp_path


def imported(place: Path | None, script: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    paths = os.pathsep.join(str(path) for path in (place, ROOT) if path)
    return subprocess.run(
        [sys.executable, "-c", script, *words], cwd=ROOT, env={**kept, "PYTHONPATH": paths, **environment},
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip


def test_notices_are_left_out_and_everything_else_comes(talkative):
    done = imported(talkative, IMPORTING, "--help")
    assert sorted(done.stderr.splitlines()) == sorted(["a line of Python's", *ERRORS.splitlines(), "after"])
    assert done.stderr.endswith("after\n")
    assert f"level 3 file {talkative}" in done.stdout


@pytest.mark.parametrize(("words", "environment", "level"), [
    (("--help", "--debug"), {}, "None"), (("--help",), {"TF_CPP_MIN_LOG_LEVEL": "1"}, "1"),
], ids=["debug", "user"])  # fmt: skip
def test_debug_and_a_level_of_the_users_own_show_the_log(talkative, words, environment, level):
    done = imported(talkative, IMPORTING, *words, **environment)
    assert all(line in done.stderr for line in NOTICES.splitlines()) and f"level {level} file" in done.stdout


def test_an_import_that_fails_says_so_and_gives_standard_error_back(talkative):
    tried = "try:\n    import tensorflow\nexcept ImportError as error:\n    print(error)\n"
    script = IMPORTING.replace("import tensorflow\n", tried)
    done = imported(talkative, script, "--help", BROKEN="1")
    assert "no such symbol" in done.stdout and "after" in done.stderr and ERRORS.splitlines()[0] in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a process without standard error is made by a POSIX shell")
def test_without_standard_error_it_is_imported_all_the_same(talkative):
    command = f"{sys.executable} -c '{IMPORTING}' --help 2>&-"
    kept = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    script = command.replace("os.write(2, b\"after\\n\")\n", "")
    assert script != command
    quiet = TALKATIVE.replace("os.write(2, ", "str(")
    (talkative / "tensorflow" / "__init__.py").write_text(quiet, encoding="utf-8")
    environment = {**kept, "PYTHONPATH": f"{talkative}:{ROOT}"}
    done = subprocess.run(["sh", "-c", script], cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert "level 3 file" in done.stdout


def test_tensorflow_itself_says_nothing():
    """The real one, up to the first device that it looks for (cuInit fails here) and the first tensor."""
    script = IMPORTING.replace("tensorflow.level", "tensorflow.config.list_physical_devices(), tensorflow.ones(2).numpy()")
    done = imported(None, script.replace('os.write(2, b"after\\n")\n', ""), "--help")
    assert "level [PhysicalDevice" in done.stdout, done.stderr
    assert done.stderr == ""
