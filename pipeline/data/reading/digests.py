"""Digests of pixels and of folders."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np


def pixel_sha1(gray: np.ndarray) -> str:
    """SHA-1 (hex) of an image's shape, dtype and pixels: equal pictures agree, whatever their file format."""
    digest = hashlib.sha1(f"{gray.dtype.str}{gray.shape}".encode(), usedforsecurity=False)
    digest.update(np.ascontiguousarray(gray).data)
    return digest.hexdigest()


def folder_digest(root: Path) -> str:
    """SHA-256 (hex) of every file under `root`: relative names and contents, links followed, order-free."""
    digest = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        with path.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        digest.update(f"{path.relative_to(root).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()
