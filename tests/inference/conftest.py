"""A tiny bundle and scans; ``tiny_bundle`` lies beside this file."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle folder of both modalities."""
    from tiny_bundle import write_bundle

    return write_bundle(tmp_path / "bundle")


@pytest.fixture
def scans(tmp_path: Path) -> dict[str, Path]:
    """Two readable scans, and files that are none."""
    folder, random = tmp_path / "scans", np.random.default_rng(1)
    folder.mkdir()
    paths = {name: folder / f"{name}.png" for name in ("xray", "ct", "text", "truncated", "pixel", "empty")}
    for name in ("xray", "ct"):
        cv2.imwrite(str(paths[name]), random.integers(0, 256, (70, 60), dtype=np.uint8))
    paths["text"].write_text("this is no picture\n")
    paths["truncated"].write_bytes(paths["xray"].read_bytes()[:900])
    cv2.imwrite(str(paths["pixel"]), np.zeros((1, 1), np.uint8))
    paths["empty"].write_bytes(b"")
    return paths
