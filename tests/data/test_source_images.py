"""Which images are asked about, and what their outputs are called."""

from __future__ import annotations

import ntpath
from pathlib import Path, PureWindowsPath

import cv2
import numpy as np
import pytest

from pipeline.data.layouts.source_images import _common_folder, find_images, output_names
from pipeline.engine.errors import DataError, UsageError


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((20, 20), np.uint8))
    return path


@pytest.fixture
def dataset(tmp_path):
    root = tmp_path / "data"
    for label in ("COVID", "Viral Pneumonia"):
        for number in range(5):
            put(root / label / "images" / f"{number}.png")
            put(root / label / "masks" / f"{number}.png")
    return root


def relatives(images):
    return [image.relative.as_posix() for image in images]


def test_a_dataset_root_gives_images_with_their_class_and_no_mask(dataset):
    images = find_images([dataset])
    assert len(images) == 10 and {image.label for image in images} == {"COVID", "Viral Pneumonia"}
    assert relatives(images)[0] == "COVID/images/0.png" and not any("masks" in name for name in relatives(images))


def test_samples_are_seeded_and_keep_their_class(dataset):
    first, again, other = (find_images([dataset], 4, seed) for seed in (1, 1, 2))
    assert first == again != other and len(first) == len(set(first)) == 4
    assert all(image.path.parts[-3] == image.label for image in first)
    assert len(find_images([dataset], 99)) == 10


def test_any_other_folder_gives_everything_below_it(tmp_path):
    put(tmp_path / "scans" / "b" / "2.png")
    put(tmp_path / "scans" / "1.jpg")
    images = find_images([tmp_path / "scans"])
    assert relatives(images) == ["1.jpg", "b/2.png"] and not any(image.label for image in images)


def test_named_images_start_from_what_they_share_and_count_once(tmp_path):
    first, second = put(tmp_path / "a" / "x.png"), put(tmp_path / "b" / "x.png")
    assert relatives(find_images([first])) == ["x.png"]
    assert relatives(find_images([first, second, first])) == ["a/x.png", "b/x.png"]
    assert relatives(find_images([tmp_path / "a", second])) == ["a/x.png", "b/x.png"]


def test_a_missing_file_is_kept_to_fail_by_name(tmp_path):
    assert relatives(find_images([tmp_path / "gone.png"])) == ["gone.png"]


def test_names_that_differ_by_their_suffix_only(tmp_path):
    for name in ("x.png", "x.jpg", "y.png", "dotted.name.png"):
        put(tmp_path / name)
    named = [name.as_posix() for name in output_names(find_images([tmp_path]))]
    assert named == ["dotted.name", "x.jpg", "x.png", "y"]


def test_images_on_two_drives_are_refused(monkeypatch):
    """Windows alone has drives; its rule for paths is there on every system."""
    monkeypatch.setattr("os.path.commonpath", ntpath.commonpath)
    with pytest.raises(UsageError, match=r"several drives \(C:, D:\)"):
        _common_folder([PureWindowsPath("C:/scans"), PureWindowsPath("D:/more")])


def test_nothing_to_do(tmp_path):
    with pytest.raises(UsageError, match="No image was named"):
        find_images([])
    (tmp_path / "COVID" / "images").mkdir(parents=True)
    with pytest.raises(DataError, match="no image in any"):
        find_images([tmp_path])
