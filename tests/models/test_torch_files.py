"""Checkpoints are data: tensors come out right, and nothing that a file says is ever run."""

from __future__ import annotations

import os
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
from torch_containers import Tensor, write_legacy, write_zip

from pipeline.engine.errors import CorruptArtifactError
from pipeline.models.torch_files import read_checkpoint, read_state_dict

WRITERS = pytest.mark.parametrize("write", [write_zip, write_legacy])
NUMBERS = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


class Attack:
    """Unpickled by an ordinary unpickler, it runs a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@WRITERS
def test_tensors_come_out_with_their_names_shapes_and_types(write, tmp_path):
    path = write(tmp_path / "x.pth", OrderedDict(kernel=Tensor(NUMBERS), steps=Tensor(np.array(7, np.int64))))
    tensors = read_state_dict(path)
    assert list(tensors) == ["kernel", "steps"]
    np.testing.assert_array_equal(tensors["kernel"], NUMBERS)
    assert tensors["kernel"].dtype == np.float32 and tensors["steps"].dtype == np.int64
    assert tensors["steps"].shape == () and tensors["steps"] == 7


@WRITERS
def test_a_strided_view_on_a_shared_storage(write, tmp_path):
    transposed = Tensor(NUMBERS, size=(4, 3), stride=(1, 4), offset=12)
    tensors = read_state_dict(write(tmp_path / "x.pth", {"last": transposed, "all": Tensor(NUMBERS)}))
    np.testing.assert_array_equal(tensors["last"], NUMBERS[1].T)
    assert tensors["last"].flags.c_contiguous


@WRITERS
def test_state_dict_nested_among_numpy_scalars(write, tmp_path):
    tree = {"epoch": 12, "best": np.float64(0.5), "model_state_dict": {"w": Tensor(NUMBERS)}, "rates": [np.float32(0.25)]}
    path = write(tmp_path / "x.pth", tree)
    np.testing.assert_array_equal(read_state_dict(path)["w"], NUMBERS)
    whole = read_checkpoint(path)
    assert whole["best"] == 0.5 and whole["rates"] == [0.25] and whole["epoch"] == 12


@WRITERS
@pytest.mark.parametrize("wrap", [lambda attack: attack, lambda attack: {"w": Tensor(NUMBERS), "note": [attack]}])
def test_a_command_in_a_checkpoint_is_refused_and_never_run(write, wrap, tmp_path):
    trace = tmp_path / "was_run"
    path = write(tmp_path / "evil.pth", wrap(Attack(f"touch {trace}")))
    with pytest.raises(CorruptArtifactError, match=r"(posix|nt)\.system.*refused"):
        read_state_dict(path)
    assert not trace.exists()


@WRITERS
def test_builtins_are_refused_too(write, tmp_path):
    class Evaluate:
        def __reduce__(self):
            return eval, ("1 + 1",)

    with pytest.raises(CorruptArtifactError, match=r"builtin.*\.eval.*refused"):
        read_checkpoint(write(tmp_path / "evil.pth", {"x": Evaluate()}))


@WRITERS
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.97])
def test_a_file_that_is_cut_short(write, kept, tmp_path):
    path = write(tmp_path / "x.pth", {"w": Tensor(np.ones(4000, np.float32))})
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(CorruptArtifactError, match=r"x\.pth"):
        read_checkpoint(path)


@WRITERS
@pytest.mark.parametrize(("size", "stride", "offset"), [((5, 5), (5, 1), 0), ((2,), (1,), 23), ((2,), (-1,), 3)])
def test_a_view_beyond_its_storage(write, size, stride, offset, tmp_path):
    path = write(tmp_path / "x.pth", {"w": Tensor(NUMBERS, size, stride, offset)})
    with pytest.raises(CorruptArtifactError, match="beyond its storage"):
        read_checkpoint(path)


def test_a_storage_that_was_damaged_in_the_zip(tmp_path):
    path = write_zip(tmp_path / "x.pth", {"w": Tensor(NUMBERS)})
    content = bytearray(path.read_bytes())
    place = content.index(NUMBERS.tobytes())
    content[place + 40] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(CorruptArtifactError, match=r"x\.pth"):
        read_checkpoint(path)


def test_a_zip_that_is_no_checkpoint(tmp_path):
    path = tmp_path / "photos.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("holiday.txt", "sun")
    with pytest.raises(CorruptArtifactError, match=r"photos\.pth"):
        read_checkpoint(path)


def test_a_checkpoint_without_tensors(tmp_path):
    with pytest.raises(CorruptArtifactError, match="holds no tensors"):
        read_state_dict(write_zip(tmp_path / "x.pth", {"epoch": 3}))
