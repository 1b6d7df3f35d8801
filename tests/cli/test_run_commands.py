"""The commands about runs, on the toy pipeline: outputs, exit codes, one or two lines of error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ENGINE_TESTS = Path(__file__).parents[1] / "engine"
ROOT = Path(__file__).parents[2]
CONFIG = "system: toy\nseed: 5\ns01: {}\ns02: {}\ns03: {}\n"


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Run a command line in a folder that holds toy.yaml; returns (exit code, stdout, stderr)."""
    monkeypatch.syspath_prepend(ENGINE_TESTS)
    from toy_stages import STAGES

    from pipeline.cli.app import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    Path("toy.yaml").write_text(CONFIG)

    def command(*words):
        code = main(STAGES, words)
        out, err = capsys.readouterr()
        return code, out, err

    return command


def test_run_then_run_again(command):
    code, out, err = command("run", "-c", "toy.yaml")
    assert code == 0 and "3 run" in out and "s02_scale: running, not made yet" in err
    code, out, err = command("run", "-c", "toy.yaml", "-q")
    assert code == 0 and "3 unchanged" in out and err == ""


def test_selection_and_overrides(command):
    command("run", "-c", "toy.yaml", "--to", "s02")
    assert not Path("runs/toy/s03_score").exists()
    code, out, _ = command("run", "-c", "toy.yaml", "--set", "s02.epochs=4", "--from", "s02")
    assert code == 0 and "2 run" in out
    assert json.loads(Path("runs/toy/run.json").read_text())["config"]["s02"]["epochs"] == 4


def test_run_without_the_file_takes_the_folders_own_configuration(command):
    command("run", "-c", "toy.yaml", "--set", "s02.epochs=4")
    code, out, _ = command("run", "--out", "runs/toy")
    assert code == 0 and "3 unchanged" in out


def test_status_json(command):
    command("run", "-c", "toy.yaml", "--to", "s02")
    code, out, _ = command("status", "--json")
    stages = json.loads(out)
    assert code == 0 and [stage["state"] for stage in stages] == ["fresh", "fresh", "absent"]
    assert set(stages[0]) >= {"stage", "state", "reason", "duration_s", "warnings"}
    code, out, _ = command("status")
    assert code == 0 and "s03_score" in out and "not made yet" in out


def test_plan_json_names_refusals(command):
    code, out, _ = command("plan", "-c", "toy.yaml", "--only", "s03", "--json")
    step = json.loads(out)[0]
    assert code == 0 and step["action"] == "refuse" and step["exit_code"] == 3
    assert step["remedy"] == "Run: python run_pipeline.py run -c toy.yaml --out runs/toy --from s01 --to s03"
    assert not Path("runs").exists()


def test_the_mending_command_mends(command):
    command("run", "-c", "toy.yaml")
    Path("runs/toy/s01_scans/ids.npy").unlink()
    code, _, err = command("run", "-c", "toy.yaml")
    assert code == 3 and err.count("\n") == 2
    words = err.partition("python run_pipeline.py ")[2].split()
    assert command(*words)[0] == 0
    assert command("verify")[0] == 0


def test_verify_finds_what_the_cache_cannot(command):
    command("run", "-c", "toy.yaml")
    file = Path("runs/toy/s02_scale/scaled.npy")
    stat = file.stat()
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    code, out, err = command("verify", "--json")
    edited = [check for check in json.loads(out) if check["state"] != "ok"]
    assert code == 5 and [check["file"] for check in edited] == ["scaled.npy"]
    assert "s02_scale/scaled.npy is edited" in err and "--only s02 --force" in err
    code, out, _ = command("verify")
    assert code == 5 and "edited" in out


def test_verify_names_files_that_nobody_made(command):
    command("run", "-c", "toy.yaml")
    Path("runs/toy/s02_scale/notes.txt").write_text("mine")
    code, out, _ = command("verify")
    assert code == 0 and "notes.txt" in out and "undeclared" in out


def test_accept_without_an_edit(command):
    command("run", "-c", "toy.yaml")
    code, _, err = command("accept", "s02", "--reason", "renamed")
    assert code == 2 and "nothing to accept" in err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["rum"], 2, "run"),
        (["run", "--onli", "s02"], 2, "--only"),
        (["run", "-c", "toi.yaml"], 2, "Did you mean 'toy.yaml'"),
        (["run", "-c", "toy.yaml", "--only", "s9"], 2, "no stage 's9'"),
        (["run", "-c", "toy.yaml", "--set", "s02.epohcs=1"], 2, "Did you mean 'epochs'"),
        (["run", "-c", "toy.yaml", "--data", "nowhere"], 4, "no data folder nowhere"),
        (["run"], 2, "Which run?"),
        (["status", "--run", "nowhere"], 3, "not a run folder"),
    ],
)
def test_mistakes_are_told_in_a_line_or_two(command, words, code, told):
    found, _, err = command(*words)
    assert found == code and told in err
    assert "Traceback" not in err


def test_debug_shows_the_traceback_wherever_it_stands(command):
    code, _, err = command("run", "-c", "toi.yaml", "--debug")
    assert code == 2 and "Traceback" in err and "error: Cannot read" in err


def test_interrupted_run_ends_with_130(command, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.engine.context.Context.save_json", interrupt)
    code, _, err = command("run", "-c", "toy.yaml")
    assert code == 130 and "interrupted" in err
    assert not list(Path("runs/toy/.staging").iterdir())


def test_full_disk_outside_a_stage(command, monkeypatch):
    import errno

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "runs/toy/run.json")

    monkeypatch.setattr("pipeline.engine.runner.write_record", full)
    code, _, err = command("run", "-c", "toy.yaml")
    assert code == 3 and "disk is full" in err


def of_numpy():
    return np.empty(1 << 60, np.uint8)


def of_tensorflow():
    import tensorflow as tf

    return tf.zeros([1 << 20, 1 << 20, 1 << 8])


def of_python():
    return bytearray(1 << 60)


def test_a_file_in_use_is_no_bug(command, monkeypatch):
    """As Windows says it."""

    def in_use(*_):
        error = PermissionError(13, "The process cannot access the file because it is being used by another process", "a.json")
        error.winerror = 32
        raise error

    monkeypatch.setattr("pipeline.engine.context.Context.save_json", in_use)
    code, _, err = command("run", "-c", "toy.yaml")
    assert code == 3 and "A file is open in another program (a.json)" in err and "bug" not in err


@pytest.mark.parametrize("shortage", [of_numpy, of_tensorflow, of_python])
def test_memory_that_does_not_suffice_is_no_bug(command, monkeypatch, shortage):
    monkeypatch.setattr("pipeline.engine.context.Context.save_json", lambda *_: shortage())
    code, _, err = command("run", "-c", "toy.yaml")
    assert code == 3 and err.splitlines()[-2].startswith("error: The memory does not suffice") and "batch_size" in err


@pytest.mark.parametrize("words", [["--help"], ["status", "--run", "nowhere"], ["run", "--help"]])
def test_light_commands_import_nothing_heavy(words, tmp_path):
    code = (
        "import sys\n"
        "from toy_stages import STAGES\n"
        "from pipeline.cli.app import main\n"
        f"main(STAGES, {words!r})\n"
        "heavy = {'tensorflow', 'keras', 'pandas', 'sklearn', 'matplotlib', 'scipy', 'cv2'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ENGINE_TESTS), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert "HEAVY []" in done.stdout, done.stdout + done.stderr


def test_a_bug_is_one_line_and_exit_code_1(tmp_path):
    code = (
        "from dataclasses import replace\n"
        "from toy_stages import STAGES\n"
        "from pipeline.cli.app import main\n"
        "def broken(context): raise ZeroDivisionError('oh')\n"
        "raise SystemExit(main([replace(STAGES[0], run=broken)], ['run', '-c', 'toy.yaml']))\n"
    )
    (tmp_path / "toy.yaml").write_text("system: toy\ns01: {}\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ENGINE_TESTS), str(ROOT)])}
    script = tmp_path / "script.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert done.returncode == 1 and "bug: ZeroDivisionError: oh" in done.stderr
    assert "Traceback" not in done.stderr
