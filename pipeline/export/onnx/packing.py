"""A bundle brought under its limit: its largest graphs compressed, as many as it takes."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

from pipeline.engine.files import atomic_write_bytes
from pipeline.inference.packed_graphs import PACKED

# Card and description are written afterwards.
BUNDLE_LIMIT_BYTES = 60_000_000 - 200_000
LEVEL = 9


def pack_largest(folder: Path, document: dict[str, Any], limit: int = BUNDLE_LIMIT_BYTES) -> dict[str, Any]:
    """Replace ``name.onnx`` by ``name.onnx.gz``, the largest first, until the folder's files fit into ``limit`` bytes.

    Folders in it (Keras networks that were asked for) do not count. Lossless, and equal graphs give equal archives.
    Where all are packed and still too many bytes, so it stays.

    Returns:
        The document of ``bundle.json`` with the new names wherever a file is named.
    """
    names: dict[str, str] = {}
    for graph in sorted(folder.glob("*.onnx"), key=lambda path: (-path.stat().st_size, path.name)):
        if sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) <= limit:
            break
        atomic_write_bytes(graph.with_name(graph.name + PACKED), gzip.compress(graph.read_bytes(), LEVEL, mtime=0))
        graph.unlink()
        names[graph.name] = graph.name + PACKED
    return _renamed(document, names)


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(inner, names) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_renamed(inner, names) for inner in value]
    return names.get(value, value) if isinstance(value, str) else value
