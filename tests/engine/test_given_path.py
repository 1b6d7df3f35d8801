"""Paths as they are given from Python, and what tells their files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.engine.errors import UsageError
from pipeline.engine.given_path import file_key, path_given


class Leads:
    """Path-like."""

    def __init__(self, to):
        self.to = to

    def __fspath__(self):
        return self.to


@pytest.mark.parametrize("given", ["a/b.png", Path("a/b.png"), Leads("a/b.png")])
def test_text_and_whatever_is_path_like_lead_there(given):
    assert path_given(given, "a scan") == Path("a/b.png")


def test_odd_names_are_paths():
    for name in (" a.png", "C:\\scans\\a.png", "a:b.png", "scan://".rstrip("/"), "https.png", "ü.png", "\udcff.png"):
        assert path_given(name, "a scan") == Path(name)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (b"a.png", "bytes is no path to a scan"),
        (Leads(b"a.png"), "leads to bytes.*os.fsdecode"),
        (3, "int is no path"),
        (None, "NoneType is no path"),
        (["a.png"], "list is no path"),
        ("", "An empty path leads to no scan"),
        ("  ", "An empty path"),
        ("a\0b.png", "zero byte"),
        ("https://example.org/scan.png", "an address, and nothing is fetched.*Download it first"),
        ("S3://bucket/scan.png", "an address"),
        ("file:///tmp/scan.png", "an address"),
        ("data:image/png;base64," + 1000 * "A", r"^data:image/png;base64,A{38}… is an address"),
    ],
)
def test_what_is_no_path_is_refused(given, said):
    with pytest.raises(UsageError, match=said) as refused:
        path_given(given, "a scan")
    assert len(str(refused.value)) < 200


def test_a_file_is_told_from_itself_once_it_was_written_to(tmp_path, monkeypatch):
    path = tmp_path / "scan.png"
    assert file_key(path) is None
    path.write_bytes(b"first")
    first = file_key(path)
    assert file_key(path) == first
    monkeypatch.chdir(tmp_path)
    assert file_key(Path("scan.png")) == first
    other = tmp_path / "other.png"
    other.write_bytes(b"other")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    # Of the same length and of the same time, put in its place.
    other.replace(path)
    assert file_key(path) not in (None, first)
