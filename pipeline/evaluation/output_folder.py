"""A folder that a document is written into, with its figures."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.engine.contract import MANIFEST_NAME
from pipeline.engine.errors import UsageError
from pipeline.engine.files import atomic_write_bytes, write_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def refuse_taken_folder(out: Path) -> None:
    """Raises UsageError where `out` is a file, or a stage's folder."""
    if (out / MANIFEST_NAME).exists():
        raise UsageError(f"{out} holds a stage's artifacts, which only its stage writes.", "Give --out another place.")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file.", "Give --out a folder.")


def png_of(figure: Figure) -> bytes:
    """The figure as a PNG that says nothing of what drew it, so that equal figures are equal files."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()


def write_findings(out: Path, name: str, document: dict[str, Any], figures: Mapping[str, Figure]) -> list[str]:
    """Writes each figure as <key>.png, then `name` (JSON); returns the file names."""
    pictures = {f"{key}.png": png_of(figure) for key, figure in figures.items()}
    write_files(out, name, document, pictures)
    return [name, *pictures]


def write_files(out: Path, name: str, document: dict[str, Any], files: Mapping[str, bytes]) -> None:
    """Writes the files by name, then `name` (JSON)."""
    out.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        atomic_write_bytes(out / file, content)
    write_json(out / name, document)
