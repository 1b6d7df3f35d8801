"""What a command may not write, and is told before its work begins."""

from __future__ import annotations

import pytest

from pipeline.engine.errors import StorageError, UsageError
from pipeline.engine.outputs import prepare_output, refuse_inside, refuse_overwriting


@pytest.mark.posix
def test_an_output_on_its_source_is_refused_under_any_name(tmp_path):
    source, link = tmp_path / "source.png", tmp_path / "link.csv"
    source.write_bytes(b"x")
    link.symlink_to(source)
    for output in (source, tmp_path / "." / "source.png", link):
        with pytest.raises(UsageError, match="overwrite its own source"):
            refuse_overwriting([output], [tmp_path / "gone.png", source])
    refuse_overwriting([tmp_path / "new.csv"], [source])


def test_an_output_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    with pytest.raises(UsageError, match="is a folder"):
        prepare_output(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be made"):
        prepare_output(tmp_path / "file" / "answers.csv")
    prepare_output(tmp_path / "new" / "answers.csv")
    assert (tmp_path / "new").is_dir()


@pytest.mark.posix
def test_an_output_among_the_scans_is_refused_by_whatever_way_it_is_named(tmp_path):
    data, other = tmp_path / "data", tmp_path / "data2"
    data.mkdir(), other.mkdir()
    (tmp_path / "link").symlink_to(data)
    for output in (data, data / "run", data / "a/b/c.csv", tmp_path / "link/run", other / "../data/run"):
        with pytest.raises(UsageError, match="inside the data"):
            refuse_inside([None, tmp_path / "free", output], [None, other, data])
    (data / "scan.png").write_bytes(b"x")
    refuse_inside([tmp_path / "data3", other, tmp_path], [data])
    refuse_inside([data / "beside"], [data / "scan.png", tmp_path / "gone"])
