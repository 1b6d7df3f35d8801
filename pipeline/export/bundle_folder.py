"""A bundle's folder: written beside its place, described by hashes, renamed into place last."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from pipeline.engine.errors import UsageError
from pipeline.engine.exchange import exchange, put_back
from pipeline.engine.files import remove_folder, sha256_file, write_json

DESCRIPTION = "bundle.json"
SCHEMA_VERSION = 1


def refuse_foreign_folder(out: Path) -> None:
    """Refuse a place that holds something other than a bundle.

    Raises:
        UsageError: a file, or a folder with content and no ``bundle.json``.
    """
    replaceable = out.is_dir() and ((out / DESCRIPTION).is_file() or not any(out.iterdir()))
    if not replaceable and (out.exists() or out.is_symlink()):
        raise UsageError(f"{out} exists and is not a bundle: it is left alone.", "Choose another --out.")


@contextmanager
def staged_bundle(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` to write into; it takes the place of ``out`` when the block ends well.

    A bundle that was there before stays until that moment, and comes back if the exchange fails or a process is killed in it.
    """
    out = out.resolve()
    put_back(out)
    refuse_foreign_folder(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    staging = out.with_name(f".{out.name}.{os.getpid()}.part")
    remove_folder(staging)
    staging.mkdir()
    try:
        yield staging
        refuse_foreign_folder(out)
        exchange(staging, out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def file_table(folder: Path) -> dict[str, dict]:
    """SHA-256 and size in bytes of every file but the description itself, by path inside the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != DESCRIPTION)
    return {path.relative_to(folder).as_posix(): {"sha256": sha256_file(path), "bytes": path.stat().st_size} for path in files}


def write_description(folder: Path, document: dict) -> None:
    """Write ``bundle.json``: the document with the table of all other files in it."""
    write_json(folder / DESCRIPTION, {**document, "schema_version": SCHEMA_VERSION, "files": file_table(folder)})


def without_folders(value: Any) -> Any:
    """The configuration with absolute paths cut to their file names: a bundle travels."""
    if isinstance(value, dict):
        return {key: without_folders(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_folders(inner) for inner in value]
    if isinstance(value, str) and PurePath(value).is_absolute():
        return PurePath(value).name
    return value.tolist() if isinstance(value, np.generic) else value
