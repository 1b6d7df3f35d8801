"""NumPy files: appended to, read by rows, and opened read-only, without pickles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import ArrayLike, DTypeLike, NDArray

from pipeline.engine.errors import ContractError, CorruptArtifactError, MissingArtifactError

Array = NDArray[Any]


@dataclass(frozen=True)
class ArrayLayout:
    """What a ``.npy`` header says: the array's shape and dtype, and where its values begin (bytes)."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    fortran_order: bool = False

    @property
    def row_shape(self) -> tuple[int, ...]:
        return self.shape[1:]

    @property
    def row_items(self) -> int:
        return int(np.prod(self.row_shape, dtype=np.int64))


class ArrayWriter:
    """Writes a ``.npy`` file block by block, in constant memory.

    The file is byte-equal to ``numpy.save`` of all blocks joined along the first axis. Blocks are
    written with ordinary file writes: pages of a memory map would count as the process's own.
    """

    def __init__(self, path: Path, tail_shape: Sequence[int], dtype: DTypeLike) -> None:
        self.path = Path(path)
        self.tail_shape = tuple(int(size) for size in tail_shape)
        self.dtype = np.dtype(dtype)
        self.rows = 0
        self._stream: BinaryIO = self.path.open("wb")
        self._write_header()

    def __enter__(self) -> ArrayWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self._stream.close()

    def append(self, block: ArrayLike) -> None:
        """Append rows: `block` has shape ``(n, *tail_shape)`` and exactly the writer's dtype.

        Raises ContractError for another shape or dtype: a silent conversion would hide a mistake.
        """
        array = np.asarray(block)
        if array.shape[1:] != self.tail_shape or array.ndim == 0:
            declared = ("n", *self.tail_shape)
            raise ContractError(f"{self.path.name}: a block has shape {array.shape}, not {declared}.")
        if array.dtype != self.dtype:
            raise ContractError(f"{self.path.name}: a block of dtype {array.dtype} is not {self.dtype}.")
        if self._stream.closed:
            raise ContractError(f"{self.path.name}: the writer is closed.")
        self._stream.write(np.ascontiguousarray(array).data)
        self.rows += len(array)

    def close(self) -> None:
        """Write the final shape into the header and close the file."""
        if not self._stream.closed:
            self._stream.seek(0)
            self._write_header()
            self._stream.close()

    def _write_header(self) -> None:
        # NumPy pads headers so that the first axis may grow in place: the length never changes.
        header = {
            "descr": npy_format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self.rows, *self.tail_shape),
        }
        npy_format.write_array_header_1_0(self._stream, header)


def read_layout(path: Path) -> ArrayLayout:
    """Read a ``.npy`` file's header. Raises CorruptArtifactError, MissingArtifactError."""
    try:
        with Path(path).open("rb") as stream:
            version = npy_format.read_magic(stream)
            read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
            shape, fortran_order, dtype = read(stream)
            layout = ArrayLayout(tuple(shape), dtype, stream.tell(), fortran_order)
            expected = layout.offset + dtype.itemsize * int(np.prod(shape, dtype=np.int64))
            size = stream.seek(0, 2)
    except FileNotFoundError as error:
        raise MissingArtifactError(f"{path} does not exist.") from error
    except (ValueError, EOFError) as error:
        raise CorruptArtifactError(f"{path} is not a NumPy file ({error}).", _REMEDY) from error
    if dtype.hasobject:
        raise CorruptArtifactError(f"{path} holds pickled objects, which are not loaded.", _REMEDY)
    if size != expected:
        raise CorruptArtifactError(f"{path} has {size} bytes where its header says {expected}.", _REMEDY)
    return layout


def open_array(path: Path) -> Array:
    """Map a ``.npy`` file read-only; pickles are refused.

    Raises CorruptArtifactError for a broken file, MissingArtifactError where there is none.
    """
    layout = read_layout(path)
    if 0 in layout.shape:
        empty = np.empty(layout.shape, layout.dtype)
        empty.flags.writeable = False
        return empty
    mapped: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    return mapped


def read_rows(path: Path, start: int, stop: int) -> Array:
    """Read rows ``start … stop - 1`` into memory by ordinary reads.

    Raises IndexError where they are not rows of the array; otherwise as `open_array`.
    """
    layout = _row_layout(path)
    if not 0 <= start <= stop <= layout.shape[0]:
        raise IndexError(f"rows {start}:{stop} of {path}, which has {layout.shape[0]}")
    with Path(path).open("rb") as stream:
        return _read_block(stream, layout, start, stop)


def read_selected(path: Path, rows: ArrayLike) -> Array:
    """Read the rows whose indices are given, in that order; result ``(len(rows), *row_shape)``.

    Neighbouring rows are read at once. Raises IndexError for an index outside ``0 … N - 1``.
    """
    layout = _row_layout(path)
    wanted = np.asarray(rows, dtype=np.int64)
    if wanted.size and not (wanted.min() >= 0 and wanted.max() < layout.shape[0]):
        raise IndexError(f"rows {wanted.min()}…{wanted.max()} of {path}, which has {layout.shape[0]}")
    result = np.empty((wanted.size, *layout.row_shape), layout.dtype)
    breaks = np.flatnonzero(np.diff(wanted) != 1) + 1
    with Path(path).open("rb") as stream:
        for run in np.split(np.arange(wanted.size), breaks):
            if run.size:
                first = int(wanted[run[0]])
                result[run[0] : run[-1] + 1] = _read_block(stream, layout, first, first + run.size)
    return result


def _row_layout(path: Path) -> ArrayLayout:
    layout = read_layout(path)
    if not layout.shape or layout.fortran_order:
        raise CorruptArtifactError(f"{path} has no rows that can be read one by one (shape {layout.shape}).")
    return layout


def _read_block(stream: BinaryIO, layout: ArrayLayout, start: int, stop: int) -> Array:
    stream.seek(layout.offset + start * layout.row_items * layout.dtype.itemsize)
    block: Array = np.fromfile(stream, layout.dtype, (stop - start) * layout.row_items)
    return block.reshape(stop - start, *layout.row_shape)


_REMEDY = "Make it again: run its stage with --force."
