"""Writes the two containers of ``torch.save`` without PyTorch, honest or not, for the reader's tests."""

from __future__ import annotations

import io
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C

torch = types.ModuleType("torch")
torch_utils = types.ModuleType("torch._utils")
torch.FloatStorage = type("FloatStorage", (), {"__module__": "torch"})
torch.LongStorage = type("LongStorage", (), {"__module__": "torch"})
torch.HalfStorage = type("HalfStorage", (), {"__module__": "torch"})
torch.BFloat16Storage = type("BFloat16Storage", (), {"__module__": "torch"})
# Numbers of 16 bits without a sign are the upper halves of float32: bfloat16.
STORAGES = {
    "float32": torch.FloatStorage, "int64": torch.LongStorage, "float16": torch.HalfStorage, "uint16": torch.BFloat16Storage,
}  # fmt: skip


def _rebuild_tensor_v2(*arguments):
    raise AssertionError("only its name is written")


_rebuild_tensor_v2.__module__ = "torch._utils"
torch_utils._rebuild_tensor_v2 = _rebuild_tensor_v2


class Tensor:
    """A strided view on ``numbers``, pickled as PyTorch pickles one; the default is the whole of it."""

    def __init__(self, numbers: np.ndarray, size=None, stride=None, offset: int = 0) -> None:
        whole = numbers.copy(order="C")
        self.storage = types.SimpleNamespace(numbers=whole.ravel(), key="")
        self.size = numbers.shape if size is None else size
        contiguous = [step // numbers.itemsize for step in whole.strides]
        self.stride = tuple(contiguous) if stride is None else stride
        self.offset = offset

    def __reduce__(self):
        return _rebuild_tensor_v2, (self.storage, self.offset, self.size, self.stride, False, OrderedDict())


def _pickled(tree, legacy: bool) -> tuple[bytes, list[np.ndarray]]:
    stream, storages = io.BytesIO(), []

    class Pickler(pickle.Pickler):
        def persistent_id(self, item):
            if not isinstance(item, types.SimpleNamespace):
                return None
            if item.key == "":
                item.key = str(len(storages))
                storages.append(item.numbers)
            kind = STORAGES[item.numbers.dtype.name]
            pid = ("storage", kind, item.key, "cpu", item.numbers.size)
            return (*pid, None) if legacy else pid

    before = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules.update({"torch": torch, "torch._utils": torch_utils})
    try:
        Pickler(stream, protocol=2).dump(tree)
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    return stream.getvalue(), storages


def write_zip(path: Path, tree) -> Path:
    """The container of PyTorch 1.6 and later."""
    pickled, storages = _pickled(tree, legacy=False)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/version", "3\n")
        for key, numbers in enumerate(storages):
            archive.writestr(f"archive/data/{key}", numbers.tobytes())
    return path


def write_legacy(path: Path, tree) -> Path:
    """The container before that: a stream of pickles, then the storages."""
    pickled, storages = _pickled(tree, legacy=True)
    head = b"".join(pickle.dumps(item, protocol=2) for item in (LEGACY_MAGIC, 1001, {"little_endian": True}))
    keys = pickle.dumps([str(key) for key in range(len(storages))], protocol=2)
    raw = b"".join(struct.pack("<q", numbers.size) + numbers.tobytes() for numbers in storages)
    path.write_bytes(head + pickled + keys + raw)
    return path
