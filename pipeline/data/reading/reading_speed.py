"""How fast scans are read, in this process and in the pool that folders are read with."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from pipeline.data.reading.decoder_pool import DecoderPool
from pipeline.data.reading.gray_reader import read_gray
from pipeline.engine.errors import DataError

REPEATS = 3


def reading_speed(paths: Sequence[Path], workers: int = 2, repeats: int = REPEATS) -> dict:
    """Milliseconds a scan, the best of `repeats` passes over `paths`, and how many could not be read.

    `one_by_one_ms`: `read_gray`, file after file in this process. `pool_ms`: a warm pool of `workers` processes, wall
    time over the number of scans. `pool_start_s`: what starting the pool costs once.
    """
    if not paths:
        raise DataError("no scans to measure the reading of.", "Give a folder of scans.")
    alone = min(_seconds(paths) for _ in range(repeats))
    with DecoderPool(workers) as pool:
        start = time.perf_counter()
        list(pool.read_in_order([paths[0]] * workers, with_colour=False))
        started = time.perf_counter() - start
        passes, unreadable = [], 0
        for _ in range(repeats):
            start = time.perf_counter()
            unreadable = sum(isinstance(found, DataError) for found in pool.read_in_order(paths, with_colour=False))
            passes.append(time.perf_counter() - start)
    return {
        "scans": len(paths), "unreadable": unreadable, "workers": workers, "one_by_one_ms": 1000 * alone / len(paths),
        "pool_ms": 1000 * min(passes) / len(paths), "pool_start_s": started,
    }  # fmt: skip


def _seconds(paths: Sequence[Path]) -> float:
    start = time.perf_counter()
    for path in paths:
        try:
            read_gray(path)
        except DataError:
            continue
    return time.perf_counter() - start
