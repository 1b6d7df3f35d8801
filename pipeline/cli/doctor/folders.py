"""Where runs and passing files are written: space, permission, and what the file system can do."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.cli.doctor.finding import Finding, Request
from pipeline.engine.files import atomic_write_bytes, flush_to_disk, move

GIB = 2**30
# A run of the largest shipped configuration takes 0.7 GiB on 2,677 scans, the demo 0.2.
ENOUGH_GIB = 1.0


def examine_folders(request: Request) -> list[Finding]:
    """Where runs and passing files go. Nothing stays of what is tried."""
    temporary = Path(tempfile.gettempdir())
    return [*_folder("runs", request.runs, "--out"), *_folder("temporary files", temporary, "TMPDIR (Windows: TEMP)")]


def _folder(subject: str, place: Path, named_by: str) -> list[Finding]:
    nearest = next(folder for folder in (place.absolute(), *place.absolute().parents) if folder.exists())
    mend = f"name another folder with {named_by}"
    try:
        if not nearest.is_dir():
            raise NotADirectoryError(f"{nearest} is a file")
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=nearest) as tried:
            faults = list(filter(None, (_renaming_fault(Path(tried)), _lock_fault(Path(tried)))))
            links = "" if _takes_links(Path(tried)) else "; no links can be made, so that data prepare needs --copy"
    except OSError as fault:
        told = f"{place} cannot be written to ({fault.strerror or fault})"
        return [Finding(subject, "lack", told, "nothing can be made there; answers that go to the screen need it not", mend)]
    free = shutil.disk_usage(nearest).free / GIB
    found = [Finding(subject, "lack", told, cost, mend) for told, cost in faults]
    if free < ENOUGH_GIB:
        cost = f"a run of the shipped configurations takes up to {ENOUGH_GIB:.0f} GiB, and ends where the disk is full"
        return [*found, Finding(subject, "lack", f"{place}: {free:.1f} GiB free", cost, f"free some space, or {mend}")]
    return found or [Finding(subject, "ok", f"{place}: {free:.0f} GiB free, can be written to, locks hold{links}")]


def _renaming_fault(folder: Path) -> tuple[str, str] | None:
    """What is told and what it costs, where a folder or a file cannot be put whole into another's place."""
    try:
        for content in (b"1", b"2"):
            atomic_write_bytes(folder / "file", content)
        (folder / "made").mkdir()
        move(folder / "made", folder / "moved")
        flush_to_disk(folder)
    except OSError as fault:
        return (f"{folder.parent}: renaming fails ({fault.strerror or fault})", "no stage can be finished there")
    return None


def _lock_fault(folder: Path) -> tuple[str, str] | None:
    cost = "two processes may work in one run folder and spoil it"
    first, second = FileLock(folder / "lock"), FileLock(folder / "lock")
    try:
        first.acquire(timeout=0)
        try:
            second.acquire(timeout=0)
        except Timeout:
            return None
        finally:
            second.release()
            first.release()
    except (OSError, RuntimeError) as fault:  # where the system has no such locks
        return (f"{folder.parent}: files cannot be locked ({fault})", f"no run begins there: without a lock {cost}")
    return (f"{folder.parent}: a lock does not keep a second process out", cost)


def _takes_links(folder: Path) -> bool:
    try:
        (folder / "link").symlink_to(folder / "file")
    except (OSError, RuntimeError):  # where the system has no links
        return False
    return True
