"""A folder that a command writes its document and figures into."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.engine.contract import MANIFEST_NAME
from pipeline.engine.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def refuse_taken_folder(out: Path) -> None:
    """Raises UsageError where `out` is a file, or a stage's folder."""
    if (out / MANIFEST_NAME).exists():
        raise UsageError(f"{out} holds a stage's artifacts, which only its stage writes.", "Give --out another place.")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file.", "Give --out a folder.")


def write_findings(out: Path, name: str, document: dict, figures: Mapping[str, Figure]) -> list[str]:
    """Writes `name` (JSON) and each figure as <key>.png; returns the file names."""
    from pipeline.engine.files import atomic_write_bytes, write_json

    out.mkdir(parents=True, exist_ok=True)
    for key, figure in figures.items():
        picture = io.BytesIO()
        figure.savefig(picture, format="png", metadata={"Software": None})
        atomic_write_bytes(out / f"{key}.png", picture.getvalue())
    write_json(out / name, document)
    return [name, *(f"{key}.png" for key in figures)]
