"""`doctor` on folders: what a file system may lack, and that nothing stays of what is tried."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli.doctor import folders
from pipeline.cli.doctor.finding import Request


def test_nothing_is_left_and_nothing_is_made(tmp_path):
    before = sorted(tmp_path.rglob("*"))
    found = folders.examine_folders(Request(tmp_path / "runs" / "deep"))
    assert [one.state for one in found] == ["ok", "ok"] and sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_takes_nothing(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    first, _ = folders.examine_folders(Request(tmp_path / "file" / "runs"))
    assert first.state == "lack" and "is a file" in first.told and first.mend == "name another folder with --out"


@pytest.mark.parametrize(("patched", "told", "cost"), [
    ("atomic_write_bytes", "renaming fails (no)", "no stage can be finished there"),
    ("FileLock", "files cannot be locked", "no run begins there"),
])  # fmt: skip
def test_a_file_system_that_lacks_something(tmp_path, monkeypatch, patched, told, cost):
    def refused(*_, **__):
        raise OSError(1, "no")

    class Refusing(folders.FileLock):
        def acquire(self, *_, **__):
            refused()

    monkeypatch.setattr(folders, patched, Refusing if patched == "FileLock" else refused)
    first, _ = folders.examine_folders(Request(tmp_path))
    assert first.state == "lack" and told in first.told and cost in first.cost and list(tmp_path.iterdir()) == []


def test_locks_that_hold_nobody_back(tmp_path, monkeypatch):
    class Idle(folders.FileLock):
        def acquire(self, *_, **__):
            return None

    monkeypatch.setattr(folders, "FileLock", Idle)
    first, _ = folders.examine_folders(Request(tmp_path))
    assert first.state == "lack" and "does not keep a second process out" in first.told


def test_little_space_and_no_links(tmp_path, monkeypatch):
    def refused(*_):
        raise OSError(1314, "a right is not held")

    monkeypatch.setattr(Path, "symlink_to", refused)
    assert "data prepare needs --copy" in folders.examine_folders(Request(tmp_path))[0].told
    monkeypatch.setattr(folders.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 300 << 20}))
    first, _ = folders.examine_folders(Request(tmp_path))
    assert first.state == "lack" and "0.3 GiB free" in first.told and first.mend.startswith("free some space")
