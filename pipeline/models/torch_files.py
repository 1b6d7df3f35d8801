"""Read the tensors of a PyTorch ``.pth`` file without PyTorch.

Both containers are read: the zip archive that ``torch.save`` writes since 1.6, and the older stream of
pickles followed by raw storages. The unpickler admits tensors, ordered dictionaries and plain containers;
every other global is refused, so a file cannot run code (the attack: CWE-502).
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pipeline.engine.errors import CorruptArtifactError

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
STORAGE_DTYPES = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "ByteStorage": np.dtype("u1"),
    "CharStorage": np.dtype("i1"),
    "BoolStorage": np.dtype("?"),
    # NumPy has no bfloat16: the upper half of a float32, which it becomes.
    "BFloat16Storage": np.dtype("<u2"),
}
BFLOAT16 = "BFloat16Storage"
# Where training scripts put a state_dict among what else they keep; the first that is there is read.
NESTED_UNDER = ("model_state_dict", "state_dict", "model", "net", "network", "module", "weights")


class StorageType:
    """The element type that a pickled ``torch.XStorage`` names."""

    def __init__(self, name: str) -> None:
        self.name, self.dtype = name, STORAGE_DTYPES[name]

    def numbers(self, raw: bytes) -> np.ndarray:
        """The numbers that the bytes of a storage are, ``(N,)``."""
        stored = np.frombuffer(raw, dtype=self.dtype)
        return (stored.astype("<u4") << 16).view("<f4") if self.name == BFLOAT16 else stored


class Storage:
    """A flat run of numbers whose bytes may arrive after the pickle that refers to it."""

    def __init__(self, kind: StorageType) -> None:
        self.kind = kind
        self.numbers: np.ndarray | None = None


class TensorView:
    """A strided view on a storage: what ``_rebuild_tensor_v2`` describes."""

    def __init__(self, storage: Storage, offset: int, size: tuple, stride: tuple, *_: Any) -> None:
        self.storage, self.offset, self.size, self.stride = storage, offset, tuple(size), tuple(stride)

    def numpy(self) -> np.ndarray:
        numbers = self.storage.numbers
        if numbers is None:
            raise CorruptArtifactError("a tensor's storage is missing from the checkpoint.", "Fetch the file again.")
        last = self.offset + sum((n - 1) * s for n, s in zip(self.size, self.stride, strict=True))
        if any(n < 0 for n in (*self.size, *self.stride, self.offset)) or (0 not in self.size and last >= len(numbers)):
            raise CorruptArtifactError("a tensor of the checkpoint reaches beyond its storage.", "Fetch it again.")
        byte_strides = tuple(s * numbers.itemsize for s in self.stride)
        view = np.lib.stride_tricks.as_strided(numbers[self.offset :], self.size, byte_strides, writeable=False)
        return np.ascontiguousarray(view).reshape(self.size)


def _numpy_scalar(dtype: np.dtype, raw: bytes) -> Any:
    return np.frombuffer(raw, dtype=dtype)[0]


def _plain_dtype(code: str, *_: Any) -> np.dtype:
    if code not in {"f4", "f8", "f2", "i8", "i4", "i2", "i1", "u1", "b1"}:
        raise pickle.UnpicklingError(f"dtype {code!r} is not a number")
    return np.dtype(code)


def _latin1(text: str, encoding: str) -> bytes:
    return text.encode("latin1")


ADMITTED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): TensorView,
    ("torch._utils", "_rebuild_parameter"): lambda view, *_: view,
    ("numpy.core.multiarray", "scalar"): _numpy_scalar,
    ("numpy._core.multiarray", "scalar"): _numpy_scalar,
    ("numpy", "dtype"): _plain_dtype,
    ("_codecs", "encode"): _latin1,
}


class TensorUnpickler(pickle.Unpickler):
    """Unpickles tensors, ordered dictionaries and numbers; refuses every other class."""

    def __init__(self, stream: BinaryIO, storage_of: Callable[[Any], Storage], source: Path) -> None:
        super().__init__(stream, encoding="utf-8")
        self._storage_of, self._source = storage_of, source

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in STORAGE_DTYPES:
            return StorageType(name)
        try:
            return ADMITTED[module, name]
        except KeyError:
            raise CorruptArtifactError(
                f"{self._source}: the checkpoint wants to load {module}.{name}, which is not a tensor; refused.",
                "Save the plain state_dict (torch.save(model.state_dict(), path)) from a source you trust.",
            ) from None

    def persistent_load(self, pid: Any) -> Storage:
        return self._storage_of(pid)


def read_checkpoint(path: Path) -> Any:
    """Return the pickled object of a ``.pth`` file with every tensor as a NumPy array.

    Args:
        path: a file written by ``torch.save``, zip or legacy container.

    Raises:
        CorruptArtifactError: the file is cut short, is not a checkpoint, or names a class that is not a tensor.
    """
    try:
        tree = _read_zip(path) if zipfile.is_zipfile(path) else _read_legacy(path)
    except (
        pickle.UnpicklingError, zipfile.BadZipFile, EOFError, KeyError, ValueError, IndexError, AttributeError, TypeError
    ) as cause:  # fmt: skip
        raise CorruptArtifactError(
            f"{path}: not a readable PyTorch checkpoint ({cause}).", "Fetch or save the file again."
        ) from cause
    return _with_arrays(tree)


def read_state_dict(path: Path) -> dict[str, np.ndarray]:
    """Return ``{tensor name: array}`` of a checkpoint; bfloat16 is float32, every other type stays what it is.

    The state_dict may lie under one of NESTED_UNDER, however deep, or under any name where no other holds tensors.

    Raises:
        CorruptArtifactError: see `read_checkpoint`; no tensors, or several places with tensors.
    """
    tree = read_checkpoint(path)
    while isinstance(tree, Mapping) and not any(isinstance(value, np.ndarray) for value in tree.values()):
        inner = {key: value for key, value in tree.items() if _holds_tensors(value)}
        named = next((key for key in NESTED_UNDER if key in inner), next(iter(inner), None))
        if len(inner) > 1 and named not in NESTED_UNDER:
            raise CorruptArtifactError(f"{path}: {', '.join(map(str, inner))} hold tensors, and which is the model is not told.",
                                       f"Save the model's state_dict() alone, or under {NESTED_UNDER[0]}.")  # fmt: skip
        tree = inner.get(named)
    tensors = {k: v for k, v in tree.items() if isinstance(v, np.ndarray)} if isinstance(tree, Mapping) else {}
    if not tensors:
        raise CorruptArtifactError(f"{path}: holds no tensors.", "Save the model's state_dict() into it.")
    return tensors


def _holds_tensors(tree: Any) -> bool:
    values = tree.values() if isinstance(tree, Mapping) else ()
    return any(isinstance(value, np.ndarray) or _holds_tensors(value) for value in values)


def _with_arrays(tree: Any) -> Any:
    if isinstance(tree, TensorView):
        return tree.numpy()
    if isinstance(tree, Mapping):
        return {key: _with_arrays(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_with_arrays(value) for value in tree]
    return tree


def _read_zip(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        pickled = next((name for name in archive.namelist() if name.endswith("/data.pkl") or name == "data.pkl"), None)
        if pickled is None:
            raise ValueError("the archive holds no data.pkl")
        folder = pickled.removesuffix("data.pkl")

        def storage_of(pid: Any) -> Storage:
            _, kind, key, _, _ = pid
            storage = Storage(kind)
            storage.numbers = kind.numbers(archive.read(f"{folder}data/{key}"))
            return storage

        with archive.open(pickled) as stream:
            return TensorUnpickler(stream, storage_of, path).load()  # type: ignore[arg-type]


def _read_legacy(path: Path) -> Any:
    storages: dict[str, Storage] = {}

    def storage_of(pid: Any) -> Storage:
        _, kind, key, *_ = pid
        return storages.setdefault(str(key), Storage(kind))

    with path.open("rb") as stream:
        magic, _, _ = (TensorUnpickler(stream, storage_of, path).load() for _ in range(3))
        if magic != LEGACY_MAGIC:
            raise ValueError("wrong magic number")
        tree = TensorUnpickler(stream, storage_of, path).load()
        keys = TensorUnpickler(stream, storage_of, path).load()
        for key in keys:
            storage = storages[str(key)]
            count = int.from_bytes(stream.read(8), "little")
            raw = stream.read(count * storage.kind.dtype.itemsize)
            if len(raw) != count * storage.kind.dtype.itemsize:
                raise ValueError("the file ends inside a storage")
            storage.numbers = storage.kind.numbers(raw)
    return tree
