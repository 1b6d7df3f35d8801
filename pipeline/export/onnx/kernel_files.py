"""Graphs on disk: each kernel stored once, no file over the limit.

A kernel that several graphs hold, or that would push a graph's file over the limit, goes to ``kernels_NN.bin``
beside the graphs (ONNX external data); every other weight stays inside its graph's own file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import onnx
from onnx.external_data_helper import set_external_data

from pipeline.engine.errors import CorruptArtifactError
from pipeline.engine.files import atomic_write_bytes
from pipeline.export.onnx.canonical import canonicalise

FILE_LIMIT_BYTES = 30_000_000
SMALLEST_SHARED_BYTES = 16_384
ALIGNMENT = 4096


def write_graphs(graphs: Mapping[str, onnx.ModelProto], folder: Path, limit: int = FILE_LIMIT_BYTES) -> None:
    """Write ``{file name: graph}`` into ``folder``, each in its canonical form, with its outer kernels pointed at.

    A single kernel larger than ``limit`` gets a file of its own.

    Raises:
        CorruptArtifactError: a written graph does not pass ONNX's checker.
    """
    for graph in graphs.values():
        canonicalise(graph)
    tensors = {name: [t for t in graph.graph.initializer if t.raw_data] for name, graph in graphs.items()}
    digests = {name: {t.name: _digest(t) for t in mine} for name, mine in tensors.items()}
    outer = _outer_kernels(graphs, tensors, digests, limit)
    places = _write_kernels(tensors, digests, outer, folder, limit)
    for name, graph in graphs.items():
        for tensor in tensors[name]:
            place = places.get(digests[name][tensor.name])
            if place is not None:
                location, offset, length = place
                set_external_data(tensor, location, offset, length)
                tensor.ClearField("raw_data")
        atomic_write_bytes(folder / name, graph.SerializeToString(deterministic=True))
        try:
            onnx.checker.check_model(str(folder / name))
        except onnx.checker.ValidationError as cause:
            raise CorruptArtifactError(f"{name} is not valid as written: {str(cause).splitlines()[0]}") from cause


def _digest(tensor: onnx.TensorProto) -> str:
    return hashlib.sha256(tensor.raw_data).hexdigest()


def _outer_kernels(graphs, tensors, digests, limit: int) -> list[str]:
    """Digests of the kernels that leave their graphs, in the order in which they are first met."""
    holders: dict[str, int] = {}
    for name, mine in tensors.items():
        for digest in {digests[name][t.name] for t in mine if len(t.raw_data) >= SMALLEST_SHARED_BYTES}:
            holders[digest] = holders.get(digest, 0) + 1
    chosen = {digest for digest, count in holders.items() if count > 1}
    for name, mine in tensors.items():
        inside = graphs[name].ByteSize() - sum(len(t.raw_data) for t in mine if digests[name][t.name] in chosen)
        for tensor in sorted(mine, key=lambda t: -len(t.raw_data)):
            if inside <= limit:
                break
            digest = digests[name][tensor.name]
            if digest not in chosen:
                chosen.add(digest)
                inside -= len(tensor.raw_data)
    met = dict.fromkeys(digests[name][t.name] for name, mine in tensors.items() for t in mine)
    return [digest for digest in met if digest in chosen]


def _write_kernels(tensors, digests, outer: list[str], folder: Path, limit: int) -> dict[str, tuple[str, int, int]]:
    """Append the outer kernels to numbered files; returns file, offset and length in bytes by digest."""
    content = {digests[name][t.name]: t.raw_data for name, mine in tensors.items() for t in mine}
    places: dict[str, tuple[str, int, int]] = {}
    files: list[bytearray] = []
    for digest in outer:
        raw = content[digest]
        start = -(-len(files[-1]) // ALIGNMENT) * ALIGNMENT if files else 0
        if not files or start + len(raw) > limit:
            files.append(bytearray())
            start = 0
        files[-1].extend(bytes(start - len(files[-1])))
        files[-1].extend(raw)
        places[digest] = (f"kernels_{len(files) - 1:02d}.bin", start, len(raw))
    for number, block in enumerate(files):
        atomic_write_bytes(folder / f"kernels_{number:02d}.bin", bytes(block))
    return places
