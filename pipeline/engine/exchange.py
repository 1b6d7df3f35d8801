"""A finished folder put in another's place: whoever looks finds the one or the other, after a killed process too."""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path

from pipeline.engine.files import move, remove_folder

# longer than the two renames of a process that is alive
BETWEEN_RENAMES_S = 0.2


def exchange(finished: Path, place: Path) -> None:
    """Put the folder `finished` in the place of another, or of none; what was there comes back where that fails.

    Both lie in one folder. A process killed between the renames leaves `place` empty, which `put_back` mends. Raises OSError.
    """
    put_back(place)
    for left in _formers(place):
        remove_folder(left)
    former = place.with_name(f".{place.name}.{os.getpid()}.former")
    if place.exists():
        move(place, former)
    try:
        move(finished, place)
    except BaseException:
        if former.exists():
            move(former, place)
        raise
    if former.exists():
        # it goes under another name: half removed it must never be put back
        move(former, finished)
        remove_folder(finished)


def put_back(place: Path) -> None:
    """Return the folder that a killed `exchange` took from `place`; nothing happens where there is one, or none was taken."""
    # Who may not look or write here, or comes second, finds what there is.
    with contextlib.suppress(OSError):
        place = place.resolve()
        if place.exists() or not _formers(place):
            return
        time.sleep(BETWEEN_RENAMES_S)
        for former in _formers(place):
            former.rename(place)


def _formers(place: Path) -> list[Path]:
    named = re.compile(rf"\.{re.escape(place.name)}\.\d+\.former")
    return [path for path in place.parent.iterdir() if named.fullmatch(path.name)] if place.parent.is_dir() else []
