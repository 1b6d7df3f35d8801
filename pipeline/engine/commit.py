"""Staging, committing and recovering: a stage's folder is always a whole one, or absent.

A stage writes into ``.staging/<stage>``; its manifest is written last. Committing moves the old
folder to ``.staging/<stage>.old`` and the new one into its place. A process killed between the two
renames leaves a complete staging folder, which `recover` moves into place.
"""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path
from types import TracebackType

from pipeline.engine.contract import MANIFEST_NAME
from pipeline.engine.errors import StorageError
from pipeline.engine.files import ON_WINDOWS, flush_to_disk, move, remove_folder

STAGING_NAME = ".staging"
SCRATCH_NAME = ".scratch"
OLD_SUFFIX = ".old"
_FULL = {errno.ENOSPC, errno.EDQUOT}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}


class Staging:
    """The folder in which one stage writes; thrown away unless `commit` was reached.

    As a context manager it yields the empty folder. A disk that fills inside becomes a
    StorageError; every other error passes unchanged.
    """

    def __init__(self, run_dir: Path, name: str) -> None:
        self._run_dir = run_dir
        self._name = name
        self.folder = run_dir / STAGING_NAME / name

    def __enter__(self) -> Path:
        try:
            _discard(self.folder)
            self.folder.mkdir(parents=True)
        except OSError as error:
            raise storage_error(error, self.folder) from error
        return self.folder

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            return
        _discard(self.folder)
        if is_disk_full(error):
            raise StorageError(
                f"The disk is full: {self._name} could not finish in {self._run_dir}; nothing was changed.",
                "Free some space, or choose another --out, and give the same command again.",
            ) from error

    def commit(self) -> None:
        """Move the finished folder into its place. The manifest must have been written last."""
        for file in sorted(self.folder.rglob("*")):
            flush_to_disk(file)
        flush_to_disk(self.folder)
        try:
            _move_into_place(self._run_dir, self._name)
        except PermissionError as error:
            raise storage_error(error, self._run_dir / self._name) from error


def recover(run_dir: Path) -> list[str]:
    """Finish or undo what a killed process left; return the names of the stages committed by it."""
    staging = run_dir / STAGING_NAME
    if not staging.is_dir():
        return []
    finished = []
    for folder in sorted(staging.iterdir()):
        if folder.name.endswith(OLD_SUFFIX):
            continue
        if (folder / MANIFEST_NAME).is_file():
            _move_into_place(run_dir, folder.name)
            finished.append(folder.name)
        else:
            _discard(folder)
    for old in sorted(staging.glob(f"*{OLD_SUFFIX}")):
        place = run_dir / old.name.removesuffix(OLD_SUFFIX)
        if place.exists():
            remove_folder(old)
        else:
            move(old, place)
    return finished


def discard_scratch(run_dir: Path, name: str) -> None:
    """Remove the scratch folders of a stage, whatever configuration they were made with."""
    for folder in (run_dir / SCRATCH_NAME).glob(f"{name}-*"):
        remove_folder(folder)


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, or what caused it, says that no space is left.

    TensorFlow and HDF5 wrap the system's error and keep only its words.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in _FULL:
            return True
        if "No space left on device" in str(seen) or "Disk quota exceeded" in str(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def storage_error(error: OSError, place: Path) -> StorageError:
    """Return the StorageError for a folder that cannot be written."""
    if is_disk_full(error):
        return StorageError(f"The disk is full: {place} cannot be written.", "Free some space and try again.")
    if error.errno in _REFUSED and ON_WINDOWS:
        mend = "Close it and try again, or choose a folder of your own with --out."
        return StorageError(f"{place} may not be written to, or a program has a file in it open.", mend)
    if error.errno in _REFUSED:
        return StorageError(f"{place} may not be written to.", "Choose a folder of your own with --out.")
    return StorageError(f"{place} cannot be written: {error.strerror or error}.", "Choose another --out.")


def _move_into_place(run_dir: Path, name: str) -> None:
    staged, place = run_dir / STAGING_NAME / name, run_dir / name
    old = staged.with_name(name + OLD_SUFFIX)
    if place.exists():
        remove_folder(old)
        move(place, old)
    move(staged, place)
    flush_to_disk(run_dir)
    # What is committed stays so; `recover` removes what cannot be removed now.
    with contextlib.suppress(PermissionError):
        remove_folder(old)


def _discard(folder: Path) -> None:
    # The manifest goes first: a half removed folder must never look complete to `recover`.
    (folder / MANIFEST_NAME).unlink(missing_ok=True)
    remove_folder(folder)
