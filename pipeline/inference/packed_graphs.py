"""ONNX graphs that are stored gzip-compressed, ``name.onnx.gz``: fewer bytes to carry, the same numbers."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from pipeline.engine.errors import CorruptArtifactError

PACKED = ".gz"


def is_packed(path: Path) -> bool:
    """Whether a graph's file is compressed."""
    return path.suffix == PACKED


def unpacked(path: Path) -> bytes:
    """The graph as serialised; its outer kernels lie beside the file. Raises CorruptArtifactError: no such archive."""
    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as cause:
        remedy = "Fetch the bundle again, or export it again."
        raise CorruptArtifactError(f"{path}: cannot be unpacked ({cause}).", remedy) from cause
