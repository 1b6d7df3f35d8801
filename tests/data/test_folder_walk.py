"""What of a folder is scans: content decides, foreign files are counted, links are followed once, broken ones named."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.folder_walk import is_foreign_folder
from pipeline.data.layouts.class_folders import read_class_folders
from pipeline.data.layouts.source_images import find_images
from pipeline.data.reading.gray_reader import read_gray
from pipeline.engine.errors import DataError

PICTURE = np.random.default_rng(0).integers(0, 255, (20, 20), np.uint8)


def put(path: Path, kind: str = ".png") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(kind, PICTURE)[1].tobytes())
    return path


def names(root: Path) -> tuple[list[str], list[str]]:
    told: list[str] = []
    return [image.id for image in find_images([root], warn=told.append)], told


def test_content_decides_what_is_a_scan(tmp_path):
    put(tmp_path / "a.jfif", ".jpg")
    put(tmp_path / "b", ".png")
    put(tmp_path / "c.PNG")
    put(tmp_path / "d.TIF", ".tif")
    put(tmp_path / "e.dat", ".bmp")
    (tmp_path / "f.png").write_text("a text that was renamed")
    (tmp_path / "readme.txt").write_text("a text")
    (tmp_path / "empty").touch()
    found, told = names(tmp_path)
    assert found == ["a.jfif", "b", "c.PNG", "d.TIF", "e.dat", "f.png"]
    assert told == [f"{tmp_path}: left out are files that are no scans: 2 (first: empty)."]
    for name in found[:-1]:
        assert read_gray(tmp_path / name).shape == (20, 20)
    with pytest.raises(DataError, match=r"f\.png: not a scan, its content is text"):
        read_gray(tmp_path / "f.png")


FOREIGN = (".ipynb_checkpoints", "@eaDir", "__MACOSX", "$RECYCLE.BIN", "#recycle", ".git", "Thumbnails")


@pytest.mark.parametrize("place", ["", "A", "A/images"])
def test_folders_of_systems_and_programs_are_counted(tmp_path, place):
    for label in "AB":
        for number in range(3):
            put(tmp_path / label / "images" / f"{number}.png")
    for folder in FOREIGN:
        put(tmp_path / place / folder / "x.png")
    told: list[str] = []
    assert len(read_class_folders(tmp_path, told.append)) == 6
    assert ("folders of systems and programs: 7" in told[0]) == (place != "A")


def test_sidecars_and_thumbnails_are_counted(tmp_path):
    left = [".DS_Store", "._scan.png", "Thumbs.db", "desktop.ini", "scan_thumb.png", "scan-thumb_200.jpg", "thumb_scan.png",
            "SYNOPHOTO_THUMB_M.jpg", "scan.thumbnail.png"]  # fmt: skip
    for name in left:
        put(tmp_path / name)
    kept = ["IM-0115-0001.png", "thumbprint.png", "person1_bacteria_2.png"]
    for name in kept:
        put(tmp_path / name)
    found, told = names(tmp_path)
    assert found == sorted(kept)
    assert told == [f"{tmp_path}: left out are hidden files: 2 (first: .DS_Store); sidecars: 2 (first: Thumbs.db); "
                    "thumbnails: 5 (first: SYNOPHOTO_THUMB_M.jpg)."]  # fmt: skip


@pytest.mark.posix
def test_linked_folders_are_followed_once_and_broken_links_named(tmp_path):
    outside = put(tmp_path / "elsewhere" / "deep" / "out.png").parents[1]
    root = tmp_path / "data"
    put(root / "in" / "a.png")
    (root / "linked").symlink_to(outside)
    (root / "again").symlink_to(outside)
    (root / "here").symlink_to(root / "in")
    (root / "in" / "up").symlink_to(root)
    (root / "whole_disk").symlink_to("/")
    (outside / "back").symlink_to(root)
    (root / "file.png").symlink_to(root / "in" / "a.png")
    (root / "gone.png").symlink_to(tmp_path / "absent.png")
    (root / "gone").symlink_to(tmp_path / "absent")
    found, told = names(root)
    assert found == ["again/deep/out.png", "file.png", "in/a.png"]
    assert told == [
        f"{root}: left out are links to folders that are read already: 5 (first: in/up).",
        f"{root}: links that lead nowhere are left out: gone, gone.png.",
    ]


@pytest.mark.posix
def test_a_pipe_is_not_waited_for(tmp_path):
    put(tmp_path / "a.png")
    os.mkfifo(tmp_path / "b.png")
    found, told = names(tmp_path)
    assert found == ["a.png"] and "pipes, sockets and devices: 1 (first: b.png)" in told[0]


@pytest.mark.posix
def test_a_linked_class_folder_is_read(tmp_path):
    root = tmp_path / "data"
    for label in "AB":
        put(tmp_path / "store" / label / "1.png")
    root.mkdir()
    for label in "AB":
        (root / label).symlink_to(tmp_path / "store" / label)
    assert [scan.id for scan in read_class_folders(root, lambda _: None)] == ["A/1.png", "B/1.png"]


def test_a_folder_of_foreign_files_alone_is_empty(tmp_path):
    put(tmp_path / "@eaDir" / "a.png")
    with pytest.raises(DataError, match="no scans below it"):
        find_images([tmp_path])


@given(st.text(min_size=1, max_size=12))
def test_ordinary_names_are_no_systems(name):
    ordinary = f"a{name}"
    assert is_foreign_folder(f".{name}") and is_foreign_folder(f"@{name}") and not is_foreign_folder(ordinary)


@pytest.mark.posix
def test_a_file_that_may_not_be_read_is_named_later(tmp_path):
    """What cannot be opened is no scan by its content; by its name it still is one."""
    put(tmp_path / "closed.png").chmod(0)
    put(tmp_path / "open.png")
    found, _ = names(tmp_path)
    assert found == ["closed.png", "open.png"]
    if os.geteuid():
        with pytest.raises(DataError, match="Permission"):
            read_gray(tmp_path / "closed.png")
