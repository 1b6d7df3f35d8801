from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.engine.arrays import ArrayWriter, open_array, read_rows, read_selected
from pipeline.engine.errors import ContractError, CorruptArtifactError, MissingArtifactError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def values():
    return np.random.default_rng(0).random((23, 3, 5), dtype=np.float32)


@pytest.fixture
def path(tmp_path, values):
    path = tmp_path / "a.npy"
    with ArrayWriter(path, (3, 5), "float32") as writer:
        for start in range(0, 23, 4):
            writer.append(values[start : start + 4])
    return path


def test_writer_equals_numpy_save_byte_for_byte(tmp_path, path, values):
    np.save(tmp_path / "b.npy", values)
    assert path.read_bytes() == (tmp_path / "b.npy").read_bytes()


def test_strided_blocks_are_written_in_order(tmp_path, values):
    with ArrayWriter(tmp_path / "c.npy", (5, 3), "float32") as writer:
        writer.append(values.transpose(0, 2, 1))
    np.testing.assert_array_equal(open_array(tmp_path / "c.npy"), values.transpose(0, 2, 1))


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", "<U7", "bool"])
def test_dtypes_and_empty_arrays(tmp_path, dtype):
    with ArrayWriter(tmp_path / "e.npy", (2,), dtype):
        pass
    found = open_array(tmp_path / "e.npy")
    assert found.shape == (0, 2) and found.dtype == np.dtype(dtype)


@pytest.mark.parametrize(
    ("block", "words"),
    [(np.zeros((2, 3, 5)), "float64"), (np.zeros((2, 5, 3), "float32"), r"\(2, 5, 3\)")],
)
def test_writer_converts_nothing_silently(tmp_path, block, words):
    with (
        pytest.raises(ContractError, match=words),
        ArrayWriter(tmp_path / "d.npy", (3, 5), "float32") as writer,
    ):
        writer.append(block)


def test_rows_are_read_as_they_stand(path, values):
    np.testing.assert_array_equal(read_rows(path, 5, 11), values[5:11])
    assert read_rows(path, 4, 4).shape == (0, 3, 5)
    rows = [22, 3, 4, 5, 0, 3]
    np.testing.assert_array_equal(read_selected(path, rows), values[rows])
    assert read_selected(path, []).shape == (0, 3, 5)


@pytest.mark.parametrize("rows", [(-1, 3), (20, 24), (5, 4)])
def test_rows_outside_are_an_index_error(path, rows):
    with pytest.raises(IndexError):
        read_rows(path, *rows)


@pytest.mark.parametrize("row", [-1, 23])
def test_selected_rows_outside_are_an_index_error(path, row):
    with pytest.raises(IndexError):
        read_selected(path, [0, row])


def test_opened_arrays_cannot_be_written(path):
    with pytest.raises(ValueError, match="read-only"):
        open_array(path)[0] = 0


@pytest.mark.parametrize("damage", ["truncated", "longer", "text", "empty", "pickle"])
def test_broken_files_are_corrupt(path, damage):
    content = path.read_bytes()
    if damage == "pickle":
        np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    else:
        broken = {"truncated": content[:-1], "longer": content + b"x", "text": b"hello" * 90, "empty": b""}
        path.write_bytes(broken[damage])
    with pytest.raises(CorruptArtifactError, match=r"a\.npy"):
        open_array(path)
    with pytest.raises(CorruptArtifactError, match=r"a\.npy"):
        read_rows(path, 0, 1)


def test_absent_file_is_missing(tmp_path):
    with pytest.raises(MissingArtifactError, match=r"none\.npy"):
        open_array(tmp_path / "none.npy")


@pytest.mark.posix
def test_memory_does_not_grow_with_the_file(tmp_path):
    code = f"""
import resource, sys
import numpy as np
sys.path.insert(0, {str(ROOT)!r})
from pipeline.engine.arrays import ArrayWriter, read_rows
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
block = np.ones((64, 4096), "float32")
path = {str(tmp_path / "big.npy")!r}
with ArrayWriter(path, (4096,), "float32") as writer:
    writer.append(block)
    before = peak()
    for _ in range(127):
        writer.append(block)
total = sum(float(read_rows(path, start, start + 64)[0, 0]) for start in range(0, 128 * 64, 64))
print(total, peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    total, grown_kib = done.stdout.split()
    # 128 MiB pass through; a block is 1 MiB.
    assert float(total) == 128.0 and int(grown_kib) < 12 * 1024
