"""A run that is killed, a disk that fills, a second process: nothing is lost or half there."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.cli.app import main
from pipeline.engine.errors import StorageError
from tests.waiting import HANGS_S, wait_until

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CONFIG = "system: toy\nseed: 5\ns01: {}\ns02: {epochs: 5, seconds_per_epoch: %s}\ns03: {}\n"
MOMENTS = [
    "s01 writing",
    "s02 epoch 2",
    "s03 writing",
    "before the renames",
    "between the renames",
    "after the renames",
]


def start(toy, config: Path, kill: str = "") -> subprocess.Popen:
    paths = os.pathsep.join([str(HERE), str(ROOT)])
    environment = os.environ | {"PYTHONPATH": paths, "TOY_KILL": kill}
    command = [sys.executable, str(HERE / "toy_run.py"), *arguments(toy, config)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def arguments(toy, config: Path) -> list[str]:
    return ["run", "-c", str(config), "--out", str(toy.folder)]


def wait_for(path: Path, process: subprocess.Popen) -> None:
    wait_until(path.exists, lambda: process.poll() is None, str(path))


def write_config(folder: Path, seconds: float = 0.0) -> Path:
    path = folder / "toy.yaml"
    path.write_text(CONFIG % seconds)
    return path


@pytest.mark.posix
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_run_is_finished_by_the_same_command(toy, reference, tmp_path, capsys, moment):
    config = write_config(tmp_path)
    assert main(reference.stages, arguments(reference, config)) == 0
    # The folder holds an older whole run, so that the commit has something to replace.
    toy.run(toy.config(seed=4))
    killed = start(toy, config, kill=moment)
    assert killed.wait(HANGS_S) == -signal.SIGKILL, killed.stderr.read()
    capsys.readouterr()
    assert main(toy.stages, arguments(toy, config)) == 0
    told = capsys.readouterr().err
    if moment == "s02 epoch 2":
        assert "starts at epoch 2" in told
    if moment in ("before the renames", "between the renames"):
        assert "s02_scale: committed by the interrupted run" in told
    assert toy.contents() == reference.contents()
    assert not list(toy.folder.glob(".staging/*")) and not list(toy.folder.glob(".scratch/*"))


@pytest.mark.posix
def test_run_killed_before_anything_was_there(toy, reference, tmp_path):
    config = write_config(tmp_path)
    main(reference.stages, arguments(reference, config))
    assert start(toy, config, kill="s02 epoch 2").wait(HANGS_S) == -signal.SIGKILL
    assert not (toy.folder / "s02_scale").exists()
    assert main(toy.stages, arguments(toy, config)) == 0
    assert toy.contents() == reference.contents()


@pytest.mark.parametrize("seconds", [0.45, 0.6, 0.8])
def test_run_killed_at_any_time(toy, reference, tmp_path, seconds):
    config = write_config(tmp_path, seconds=0.05)
    main(reference.stages, arguments(reference, config))
    process = start(toy, config)
    time.sleep(seconds)
    process.kill()
    process.wait(HANGS_S)
    assert main(toy.stages, arguments(toy, config)) == 0
    assert toy.contents() == reference.contents()


@pytest.mark.posix
def test_scratch_of_another_configuration_is_not_taken_up(toy, tmp_path, capsys):
    config = write_config(tmp_path)
    assert start(toy, config, kill="s02 epoch 2").wait(HANGS_S) == -signal.SIGKILL
    config.write_text(CONFIG.replace("epochs: 5", "epochs: 5, factor: 3.0") % 0.0)
    assert main(toy.stages, arguments(toy, config)) == 0
    assert "starts at epoch 0" in capsys.readouterr().err
    assert not list(toy.folder.glob(".scratch/*"))


def test_second_process_is_refused_and_told_the_first(toy, tmp_path, capsys):
    config = write_config(tmp_path, seconds=2.0 * HANGS_S)  # it ends when it is killed
    process = start(toy, config)
    try:
        owner = toy.folder / ".lock.owner"
        wait_for(owner, process)
        assert main(toy.stages, arguments(toy, config)) == 2
        assert f"in use by process {process.pid}" in capsys.readouterr().err
    finally:
        process.kill()
        process.wait(HANGS_S)
    write_config(tmp_path)
    assert main(toy.stages, arguments(toy, config)) == 0, "a dead process holds nothing"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("Unable to flush file's cached information (errno = 28, No space left on device)"),
    ],
)
def test_full_disk_mid_stage_changes_nothing(toy, monkeypatch, error):
    toy.run()
    before = toy.contents((".npy", ".json", ".txt"))

    def append(self, block):
        self._stream.write(b"half a block")
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.engine.arrays.ArrayWriter.append", append)
        with pytest.raises(StorageError, match=r"disk is full.*s01_scans.*Free some space"):
            toy.run(toy.config(s01={"rows": 9}))
    assert toy.contents((".npy", ".json", ".txt")) == before
    assert not list(toy.folder.glob(".staging/*"))
    assert set(toy.run(toy.config(s01={"rows": 9})).values()) == {"ran"}


def test_full_disk_during_the_commit_changes_nothing(toy, monkeypatch):
    toy.run()
    before = toy.contents((".npy", ".json", ".txt"))

    def write(self, folder):
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.engine.manifest.Manifest.write", write)
        with pytest.raises(StorageError, match="disk is full"):
            toy.run(only="s03", force=True)
    assert toy.contents((".npy", ".json", ".txt")) == before


def test_other_errors_of_a_stage_pass_unchanged(toy, monkeypatch):
    def append(self, block):
        raise ZeroDivisionError("bug")

    monkeypatch.setattr("pipeline.engine.arrays.ArrayWriter.append", append)
    with pytest.raises(ZeroDivisionError):
        toy.run()
    assert not list(toy.folder.glob(".staging/*"))


def test_run_folder_that_is_a_file(toy):
    toy.folder.write_text("a file")
    with pytest.raises(StorageError, match=str(toy.folder)):
        toy.run()


def test_damaged_hash_cache_is_made_again(toy):
    toy.run()
    (toy.folder / ".cache/hashes.sqlite").write_bytes(b"not a data base" * 500)
    assert set(toy.run().values()) == {"skipped"}
    assert set(toy.run().values()) == {"skipped"}
