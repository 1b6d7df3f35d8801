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
def test_half_precisions(write, tmp_path):
    """bfloat16 is the upper half of a float32: 1.5 is 0x3FC0, -2 is 0xC000, 2**-126 is 0x0080."""
    brain = np.array([[0x3FC0, 0xC000, 0x0080], [0x7F80, 0x0000, 0x4049]], np.uint16)
    half = np.array([0.1, -65504, 6e-8], np.float16)
    view = Tensor(brain, size=(3, 2), stride=(1, 3))
    tensors = read_state_dict(write(tmp_path / "x.pth", {"brain": Tensor(brain), "half": Tensor(half), "view": view}))
    expected = np.array([[1.5, -2, 2.0**-126], [np.inf, 0, 3.140625]], np.float32)
    np.testing.assert_array_equal(tensors["brain"], expected)
    np.testing.assert_array_equal(tensors["view"], expected.T)
    np.testing.assert_array_equal(tensors["half"], half)
    assert tensors["brain"].dtype == np.float32 and tensors["half"].dtype == np.float16


@WRITERS
@pytest.mark.parametrize(
    "place", [["model"], ["state_dict"], ["model_state_dict"], ["net"], ["state_dict", "model"], ["anything"], ["a", "b", "net"]]
)
def test_nested_state_dicts(write, place, tmp_path):
    tree = {"w": Tensor(NUMBERS)}
    for key in reversed(place):
        tree = {key: tree, "epoch": 3, "optimizer_settings": {"lr": 0.1}}
    np.testing.assert_array_equal(read_state_dict(write(tmp_path / "x.pth", tree))["w"], NUMBERS)


def test_of_several_places_the_model_is_read_and_others_are_refused(tmp_path):
    def tree() -> dict:
        return {"optimizer": {"state": {0: {"m": Tensor(NUMBERS + 1)}}}, "ema": {"w": Tensor(NUMBERS + 2)}}

    with pytest.raises(CorruptArtifactError, match="optimizer, ema hold tensors, and which is the model is not told"):
        read_state_dict(write_zip(tmp_path / "x.pth", tree()))
    whole = tree() | {"model": {"w": Tensor(NUMBERS)}}
    np.testing.assert_array_equal(read_state_dict(write_zip(tmp_path / "x.pth", whole))["w"], NUMBERS)


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
