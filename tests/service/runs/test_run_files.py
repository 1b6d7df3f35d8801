"""What of a run can be asked for: what its stages committed of a few kinds, and nothing by any other spelling or any link."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
from pathlib import Path
from urllib.parse import quote

import pytest
from browsing import ask
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engine.manifest import read_manifest
from pipeline.service.runs.run_files import AbsentError, RunFile, content_of, files_of
from pipeline.service.runs.run_view import file_at
from pipeline.service.runs.served_run import ServedRun

SHOWN = {"metrics_epochwise.csv", "predictions.csv", "report.md", "roc.png", "test_results/roc.png", "metrics.json"}
PIECES = st.sampled_from([
    "..", ".", "", "/", "//", "\\", "%2e%2e", "..%2f", "%00", "\0", "run.json", ".cache", "hashes.sqlite", ".lock", "manifest.json",
    "s01_scans", "s02_training", "s03_late", "pixels.npy", "scan_index.csv", "predictions.csv", "net.json", "net.weights.h5",
    "checkpoints", "last.json", "test_results", "roc.png", "report.md", "etc", "passwd", "C:", "~", "ROC.PNG", "roc.png ", "roc.png.",
    "file:", "é", "\u202e", "\ud800", "secret.png",
])  # fmt: skip
WITHIN = {f"s02_training/{file}" for file in SHOWN} | {"s01_scans/scan_index.csv", "s01_scans/dataset.json", "s03_late/late.json"}


def served(folder: Path) -> ServedRun:
    return ServedRun(folder.name, folder, folder.resolve())


@settings(max_examples=150, deadline=None)
@given(pieces=st.lists(PIECES, max_size=6), joint=st.sampled_from(["/", "", "\\", "/../", "//", "/./"]))
def test_only_what_a_stage_committed_has_a_place(kept_run, pieces, joint):
    place = joint.join(pieces)
    run = served(kept_run)
    if place in WITHIN:
        assert file_at(run, place).place == place
    else:
        with pytest.raises(AbsentError):
            file_at(run, place)


@settings(max_examples=100, deadline=None)
@given(place=st.text(max_size=40))
def test_any_other_text_has_none(kept_run, place):
    with pytest.raises(AbsentError):
        file_at(served(kept_run), place)


@pytest.mark.parametrize(
    "place",
    ["../kept/s02_training/roc.png", "s02_training/../s01_scans/pixels.npy", "s02_training/%2e%2e/%2e%2e/run.json", "%2e%2e/%2e%2e/etc/passwd",
     "..%2f..%2f..%2fetc%2fpasswd", "/etc/passwd", "//etc/passwd", "s02_training//roc.png", "s02_training/./roc.png", "s02_training/",
     "s02_training", "", "s01_scans/pixels.npy", "s01_scans/scan_index.csv", "s02_training/predictions.csv", "s02_training/net.json",
     "s02_training/net.weights.h5", "s02_training/manifest.json", "s02_training/checkpoints/last.json", "s02_training/checkpoints",
     "run.json", ".cache/hashes.sqlite", ".lock", "s02_training/roc.png%00", "s02_training/roc.png%00.md", "s02_training\\roc.png",
     "S02_training/roc.png", "s02_training/roc.png/", "%ff", "%ed%a0%80"],
)  # fmt: skip
@pytest.mark.parametrize("page", ["file", "read"])
def test_what_is_not_shown_is_not_found_by_any_address(kept_run, browse, page, place):
    status, body = ask(browse(kept_run), f"/runs/kept/{page}/{place}")
    assert status == 404 and b"Not there" in body and str(kept_run.parent).encode() not in body


@pytest.mark.posix
@pytest.mark.parametrize("what", ["outside", "inside", "folder", "stage", "loop", "pipe", "socket", "folder in its place", "gone"])
def test_no_link_is_followed_and_only_plain_files_are_read(run, browse, tmp_path, monkeypatch, what):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "roc.png").write_bytes(b"\x89PNG\r\n\x1a\nsecret")
    figure = run / "s02_training" / "roc.png"
    figure.unlink()
    if what == "outside":
        figure.symlink_to(tmp_path / "secret" / "roc.png")
    elif what == "inside":
        figure.symlink_to(run / "s01_scans" / "scan_index.csv")
    elif what == "folder":
        shutil.rmtree(run / "s02_training" / "test_results")
        (run / "s02_training" / "test_results").symlink_to(tmp_path / "secret")
        figure = run / "s02_training" / "test_results" / "roc.png"
    elif what == "stage":
        (run / "s02_training").rename(tmp_path / "elsewhere")
        (tmp_path / "elsewhere" / "roc.png").write_bytes(b"\x89PNG\r\n\x1a\nsecret")
        (run / "s02_training").symlink_to(tmp_path / "elsewhere")
    elif what == "loop":
        figure.symlink_to(figure)
    elif what == "pipe":
        os.mkfifo(figure)
    elif what == "socket":
        monkeypatch.chdir(figure.parent)  # a socket's path is short
        socket.socket(socket.AF_UNIX).bind("roc.png")
    elif what == "folder in its place":
        figure.mkdir()
    client = browse(run)
    place = f"/runs/{quote(run.name, safe='')}"
    answer = client.get(f"{place}/file/{figure.relative_to(run).as_posix()}")
    assert answer.status_code == 404 and b"secret" not in answer.content and b"P1.png" not in answer.content
    if what != "pipe":  # whoever compares waits for what comes out of it
        page = client.get(place)
        assert page.status_code == 200 and ("losses an epoch" in page.text) is (what != "stage")


@pytest.mark.parametrize(
    "file",
    ["../../secret.png", "/etc/secret.png", "a/../../../secret.png", "..\\..\\secret.png", "C:/secret.png", "C:secret.png", "./x.png",
     "a//x.png", "x.png/", "x\0.png", "..", "", "sub/../x.png"],
)  # fmt: skip
def test_a_manifest_cannot_name_what_lies_elsewhere(run, file):
    (run.parent / "secret.png").write_bytes(b"secret")
    path = run / "s02_training" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["outputs"]["roc"]["file"] = file
    path.write_text(json.dumps(manifest))
    shown = {each.file for each in files_of("s02_training", read_manifest(run / "s02_training"))}
    assert shown == SHOWN - {"roc.png"}
    with pytest.raises(AbsentError):
        file_at(served(run), f"s02_training/{file}")


def test_a_file_that_is_too_large_is_said(run, browse):
    with (run / "s02_training" / "report.md").open("wb") as stream:
        stream.truncate(33 << 20)
    answer = browse(run).get(f"/runs/{quote(run.name, safe='')}/read/s02_training/report.md")
    assert answer.status_code == 404 and "32 MiB" in answer.text
    with pytest.raises(AbsentError):
        content_of(run.resolve(), RunFile("s02_training", "report.md", "report", "", 3))


@pytest.mark.posix
def test_a_run_that_is_itself_a_link_is_shown(run, browse, tmp_path):
    (tmp_path / "link").symlink_to(run)
    client = browse(tmp_path / "link")
    assert client.get(f"/runs/{quote(run.name, safe='')}/file/s02_training/roc.png").status_code == 200


@pytest.mark.posix
@pytest.mark.parametrize("name", [b"\xed\xa0", "läufe".encode(), b"a b", b"100%", b"#1", b"?", b"a;b", b"..x", b'"', b"%2e", b"\n"])
def test_a_run_may_be_called_anything(tmp_path, kept_run, browse, name):
    folder = tmp_path / os.fsdecode(name)
    shutil.copytree(kept_run, folder)
    client = browse(folder)
    (link,) = set(re.findall(r'<a href="(/runs/[^"]+)"', client.get("/runs").text))
    status, body = ask(client, link)
    assert status == 200 and f"{link}/file/s02_training/roc.png".encode() in body
    assert ask(client, f"{link}/file/s02_training/roc.png")[0] == 200
