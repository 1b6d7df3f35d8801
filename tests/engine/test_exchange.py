"""A folder put in another's place is whole at every moment, and a killed exchange is mended by whoever comes next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.engine.exchange import exchange, put_back

ROOT = Path(__file__).parents[2]
# argv: finished folder, place, and before which rename the process kills itself
KILLED = """
import os, signal, sys
from pathlib import Path
from pipeline.engine.exchange import exchange
left = int(sys.argv[3])
def counted(real):
    def rename(path, target):
        global left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(path, target)
    return rename
Path.replace = counted(Path.replace)
exchange(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def folder(path: Path, text: str) -> Path:
    path.mkdir()
    (path / "text").write_text(text)
    return path


@pytest.fixture
def place(tmp_path):
    return folder(tmp_path / "place.1", "old")


@pytest.fixture
def finished(tmp_path):
    return folder(tmp_path / "finished", "new")


def killed(finished: Path, place: Path, before: int) -> None:
    words = [sys.executable, "-c", KILLED, str(finished), str(place), str(before)]
    done = subprocess.run(words, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode == -signal.SIGKILL


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def test_the_finished_folder_takes_the_place_and_nothing_else_stays(finished, place):
    exchange(finished, place)
    assert (place / "text").read_text() == "new" and names(place.parent) == ["place.1"]


def test_a_place_that_was_empty(finished, tmp_path):
    exchange(finished, tmp_path / "elsewhere")
    assert names(tmp_path) == ["elsewhere"]


@pytest.mark.posix
@pytest.mark.parametrize("before", [1, 2, 3])
def test_a_kill_at_any_rename_leaves_the_old_folder_or_the_new_one(finished, place, before):
    killed(finished, place, before)
    assert place.exists() == (before != 2)
    put_back(place)
    assert (place / "text").read_text() == ("new" if before == 3 else "old")
    assert names(place) == ["text"]


@pytest.mark.posix
def test_what_a_kill_left_goes_with_the_next_exchange(finished, place, tmp_path):
    killed(finished, place, 3)
    assert len(names(tmp_path)) == 2
    exchange(folder(tmp_path / "newer", "newer"), place)
    assert names(tmp_path) == ["place.1"] and (place / "text").read_text() == "newer"


@pytest.mark.parametrize("failure", [OSError, KeyboardInterrupt])
def test_the_old_folder_comes_back_where_the_exchange_fails(finished, place, monkeypatch, failure):
    real = Path.replace

    def fails(path, target):
        if path == finished:
            raise failure
        return real(path, target)

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(failure):
        exchange(finished, place)
    assert (place / "text").read_text() == "old" and names(place.parent) == ["finished", "place.1"]


@pytest.mark.posix
def test_only_its_own_former_folder_is_put_back(place, finished, tmp_path):
    killed(finished, place, 2)
    for other in ("place", "1", "PLACE.1"):
        put_back(tmp_path / other)
        assert not (tmp_path / other).exists()
    link = tmp_path / "link"
    link.symlink_to(place)
    put_back(link)
    assert (link / "text").read_text() == "old" and link.is_symlink()


def test_one_who_looks_on_between_the_renames_takes_nothing(finished, place, monkeypatch):
    """The process that renames is alive: while the other waits a moment, the new folder has come."""
    former = place.with_name(f".{place.name}.1.former")
    place.replace(former)
    monkeypatch.setattr("time.sleep", lambda seconds: finished.replace(place))
    put_back(place)
    assert (place / "text").read_text() == "new" and (former / "text").read_text() == "old"


@pytest.mark.posix
def test_who_may_not_look_or_write_finds_what_there_is(finished, place, tmp_path, monkeypatch):
    killed(finished, place, 2)

    def refused(*given):
        raise PermissionError

    for method in ("rename", "iterdir"):
        monkeypatch.setattr(Path, method, refused)
        put_back(place)
        assert not place.exists()
