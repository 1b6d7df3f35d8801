"""Files are hashed once, until their size or time differs; large runs are looked at without reading them."""

from __future__ import annotations

import hashlib
import os
import sys

import pytest

from pipeline.engine import hash_cache
from pipeline.engine.config import StageConfig, build_run_config
from pipeline.engine.contract import Artifact, Stage
from pipeline.engine.hash_cache import HashCache
from pipeline.engine.runner import run_pipeline
from pipeline.engine.survey import survey_run

ARTIFACTS = 30
BYTES = 300 << 20
OPENED: list[str] | None = None


def note_opened(event, arguments):
    if event == "open" and OPENED is not None:
        OPENED.append(str(arguments[0]))


sys.addaudithook(note_opened)  # for the process's life: it cannot be taken away, so it listens only while OPENED is a list


@pytest.fixture
def opened(monkeypatch):
    """The paths of the files that Python opens from now on."""
    listed: list[str] = []
    monkeypatch.setattr(sys.modules[__name__], "OPENED", listed)
    return listed


@pytest.fixture
def counted(monkeypatch):
    """Count the files that are really read."""
    read = []

    def sha256_file(path):
        read.append(path)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    monkeypatch.setattr(hash_cache, "sha256_file", sha256_file)
    return read


def test_a_file_is_read_once(tmp_path, counted):
    file = tmp_path / "a.bin"
    file.write_bytes(b"abc")
    for _ in range(2):
        with HashCache(tmp_path / "cache.sqlite") as cache:
            assert cache.sha256(file) == hashlib.sha256(b"abc").hexdigest()
            assert cache.sha256(file) == hashlib.sha256(b"abc").hexdigest()
    assert len(counted) == 1


@pytest.mark.parametrize("change", ["size", "time"])
def test_another_size_or_time_is_read_again(tmp_path, counted, change):
    file = tmp_path / "a.bin"
    file.write_bytes(b"abc")
    with HashCache(tmp_path / "cache.sqlite") as cache:
        cache.sha256(file)
        stat = file.stat()
        file.write_bytes(b"abcd" if change == "size" else b"xyz")
        later = stat.st_mtime_ns + (10**9 if change == "time" else 0)
        os.utime(file, ns=(stat.st_atime_ns, later))
        assert cache.sha256(file) == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_cache_that_cannot_be_kept_still_hashes(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    for place in (None, tmp_path / "file" / "cache.sqlite", tmp_path):
        with HashCache(place) as cache:
            assert cache.sha256(tmp_path / "file") == hashlib.sha256(b"abc").hexdigest()


def sparse_outputs(config):
    return tuple(Artifact(f"big_{index}", f"big_{index}.bin") for index in range(ARTIFACTS))


def write_sparse(context):
    for artifact in sparse_outputs(context.config):
        with context.output(artifact.name).open("wb") as stream:
            stream.truncate(BYTES)


def test_skipping_and_status_do_not_read_artifacts(tmp_path, monkeypatch, opened):
    stage = Stage("s01_big", "Big.", StageConfig, lambda config: (), sparse_outputs, write_sparse)
    config = build_run_config({"system": "big", "s01": {}}, [stage])
    # Hashing 9 GB of nothing is not what is tested.
    monkeypatch.setattr("pipeline.engine.manifest.sha256_file", lambda path: "0" * 64)
    run_pipeline(config, [stage], tmp_path / "run")
    written = len(opened)
    assert len({path for path in opened if path.endswith(".bin")}) == ARTIFACTS
    assert run_pipeline(config, [stage], tmp_path / "run")[0].action == "skipped"
    assert survey_run(config, [stage], tmp_path / "run")[0].state == "fresh"
    assert any(path.endswith("manifest.json") for path in opened[written:])
    assert not [path for path in opened[written:] if path.endswith(".bin")]


def test_a_cache_that_is_only_read_is_not_written_and_remembers_beside_it(tmp_path, counted, monkeypatch):
    monkeypatch.setattr(hash_cache, "PENDING_LIMIT", 1)  # a cache that is written is so then
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"one"), two.write_bytes(b"two")
    with HashCache(tmp_path / "cache.sqlite") as cache:
        known = cache.sha256(one)
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.iterdir()}
    with HashCache(tmp_path / "cache.sqlite", is_read_only=True) as cache:
        counted.clear()
        assert cache.sha256(one) == known and counted == []
        assert cache.sha256(two) == cache.sha256(two) and len(counted) == 1
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.iterdir()} == before
    with HashCache(tmp_path / "none" / "cache.sqlite", is_read_only=True) as cache:
        assert cache.sha256(one) == known
    assert not (tmp_path / "none").exists()
