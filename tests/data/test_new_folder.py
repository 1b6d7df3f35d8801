"""A new folder appears whole, or nothing of it does."""

from __future__ import annotations

import pytest

from pipeline.data.new_folder import new_folder, refuse_occupied
from pipeline.engine.errors import DataError, UsageError


def test_what_was_filled_appears_and_an_empty_folder_is_taken(tmp_path):
    out = tmp_path / "deep" / "out"
    out.mkdir(parents=True)
    with new_folder(out) as staging:
        (staging / "a").write_text("1")
        assert list(out.iterdir()) == [] and staging.parent == out.parent
    assert (out / "a").read_text() == "1" and out.stat().st_mode & 0o777 == 0o755
    assert list(out.parent.iterdir()) == [out]


def test_a_failure_leaves_nothing_behind(tmp_path):
    with pytest.raises(ValueError, match="halfway"), new_folder(tmp_path / "out") as staging:
        (staging / "a").write_text("1")
        raise ValueError("halfway")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.posix
def test_nothing_is_written_over_or_into_the_data(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name, said in (("full", "is not empty"), ("file", "not a folder"), ("link", "not a folder")):
        with pytest.raises(DataError, match=said), new_folder(tmp_path / name):
            pass
    assert (tmp_path / "full" / "a").read_text() == (tmp_path / "file").read_text() == "mine"
    (tmp_path / "other").symlink_to(tmp_path / "full")
    with pytest.raises(UsageError, match="never written to"):
        refuse_occupied(tmp_path / "other" / "new", tmp_path / "full")
