"""Folders that appear whole or not at all, and never over what is there."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.engine.errors import DataError
from pipeline.engine.files import move
from pipeline.engine.outputs import refuse_inside


def refuse_occupied(out: Path, source: Path | None = None) -> None:
    """Raise DataError for an `out` that holds something, UsageError for one inside the data that it is made from."""
    refuse_inside([out], [source])
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise DataError(f"{out}: is there already and is not a folder.", "Give a folder that does not exist yet.")
    if out.is_dir() and any(out.iterdir()):
        raise DataError(
            f"{out}: is there already and is not empty; nothing is ever written over other files.",
            "Give a new folder, or remove this one.",
        )


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder beside `out` to be filled; it becomes `out` when the block ends, and is gone where the block raises.

    Raises DataError (see `refuse_occupied`, which is to be asked before long work too) and OSError.
    """
    refuse_occupied(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent))
    try:
        yield staging
        staging.chmod(0o755)
        if out.is_dir():
            out.rmdir()
        move(staging, out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
