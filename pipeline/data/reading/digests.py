"""Digests of pixels."""

from __future__ import annotations

import hashlib

import numpy as np


def pixel_sha1(gray: np.ndarray) -> str:
    """SHA-1 (hex) of an image's shape, dtype and pixels: equal pictures agree, whatever their file format."""
    digest = hashlib.sha1(f"{gray.dtype.str}{gray.shape}".encode(), usedforsecurity=False)
    digest.update(np.ascontiguousarray(gray).data)
    return digest.hexdigest()
