"""Files are renamed and removed on a system that refuses what is open for a moment, and flushed where folders cannot be."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from pipeline.engine import commit, files
from pipeline.engine.errors import StorageError


@pytest.fixture
def as_on_windows(monkeypatch):
    """The rules of Windows, and a system that refuses every folder."""
    opened, real = [], os.open

    def open_file(path, flags, *rest, **options):
        if os.path.isdir(path) and not options:  # those of the standard library's own walk have some
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        opened.append(flags & os.O_RDWR)
        return real(path, flags, *rest, **options)

    monkeypatch.setattr(files, "ON_WINDOWS", True)
    monkeypatch.setattr(commit, "ON_WINDOWS", True)
    monkeypatch.setattr(files, "PATIENCE_S", 30.0)
    monkeypatch.setattr(os, "open", open_file)
    return opened


def refusing(times: int, real):
    """The function, refused so many times first."""
    left = [times]

    def refused(*given, **options):
        if left[0]:
            left[0] -= 1
            raise PermissionError(errno.EACCES, "in use")
        return real(*given, **options)

    return refused


def test_a_flush_opens_files_for_writing_and_no_folder(tmp_path, as_on_windows):
    (tmp_path / "a").write_bytes(b"1")
    files.flush_to_disk(tmp_path / "a")
    files.flush_to_disk(tmp_path)
    assert as_on_windows == [os.O_RDWR]


def test_what_is_open_for_a_moment_is_waited_for(tmp_path, as_on_windows, monkeypatch):
    monkeypatch.setattr(Path, "replace", refusing(3, Path.replace))
    files.atomic_write_bytes(tmp_path / "a", b"1")
    monkeypatch.setattr(shutil, "rmtree", refusing(3, shutil.rmtree))
    (tmp_path / "folder").mkdir()
    files.remove_folder(tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["a"] and (tmp_path / "a").read_bytes() == b"1"


def test_a_map_that_is_in_use_no_longer_is_let_go_of(tmp_path, as_on_windows, monkeypatch):
    """Two objects that hold each other keep a file open until they are collected."""

    class Holder:
        pass

    first, second = Holder(), Holder()
    first.other, second.other = second, first
    freed = []
    monkeypatch.setattr(Holder, "__del__", lambda self: freed.append(1), raising=False)
    del first, second
    monkeypatch.setattr(Path, "replace", refusing(1, Path.replace))
    files.atomic_write_bytes(tmp_path / "a", b"1")
    assert len(freed) == 2


def test_a_refusal_that_lasts_is_not_waited_for_elsewhere(tmp_path, monkeypatch):
    assert (files.PATIENCE_S > 0) == (os.name == "nt")
    monkeypatch.setattr(files, "PATIENCE_S", 0.0)
    monkeypatch.setattr(Path, "replace", refusing(1, Path.replace))
    with pytest.raises(PermissionError):
        files.atomic_write_bytes(tmp_path / "a", b"1")
    assert list(tmp_path.iterdir()) == []


def test_a_commit_that_stays_refused_is_told_and_changes_nothing(tmp_path, as_on_windows, monkeypatch):
    monkeypatch.setattr(files, "PATIENCE_S", 0.0)
    (tmp_path / "s01").mkdir()
    (tmp_path / "s01" / "old").write_bytes(b"1")
    staging = commit.Staging(tmp_path, "s01")
    with pytest.raises(StorageError, match="a program has a file in it open"), staging as folder:
        (folder / "new").write_bytes(b"2")
        monkeypatch.setattr(Path, "replace", refusing(9, Path.replace))
        staging.commit()
    assert [path.name for path in (tmp_path / "s01").iterdir()] == ["old"]


def test_a_former_folder_that_cannot_be_removed_yet_goes_with_the_next_run(tmp_path, as_on_windows, monkeypatch):
    monkeypatch.setattr(files, "PATIENCE_S", 0.0)
    (tmp_path / "s01").mkdir()
    staging = commit.Staging(tmp_path, "s01")
    real = shutil.rmtree
    with staging as folder:
        (folder / "manifest.json").write_bytes(b"2")
        monkeypatch.setattr(shutil, "rmtree", refusing(9, real))
        staging.commit()
    assert (tmp_path / "s01" / "manifest.json").is_file() and (tmp_path / ".staging" / "s01.old").is_dir()
    monkeypatch.setattr(shutil, "rmtree", real)
    assert commit.recover(tmp_path) == [] and not (tmp_path / ".staging" / "s01.old").exists()
