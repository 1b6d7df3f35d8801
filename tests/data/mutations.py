"""Files that are broken by chance, seeded, and what a reader owes them: an answer or a refusal by name, soon."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
import psutil

from pipeline.data.reading.scan_reader import decode_scan
from pipeline.engine.errors import DataError

SECONDS = 2.0
GROWTH = 64 << 20


def mutated(data: bytes, rng: np.random.Generator, prefix: int = 132) -> bytes:
    """One to eight changes of one kind, most of them after the prefix: cut, bits, bytes, lengths, gaps."""
    changed = bytearray(data)
    kind = rng.integers(5)
    if kind == 0:
        return bytes(changed[: rng.integers(1, len(changed))])
    start = prefix if rng.random() < 0.8 else 0
    # The header is small beside the pixels and the more fragile: half of the changes are to it.
    end = len(changed) if rng.random() < 0.5 else min(len(changed), 900)
    for _ in range(rng.integers(1, 9)):
        place = int(rng.integers(start, end))
        if kind == 1:
            changed[place] ^= 1 << rng.integers(8)
        elif kind == 2:
            changed[place] = rng.integers(256)
        elif kind == 3:
            changed[place : place + 2] = rng.choice([b"\0\0", b"\xff\xff", b"\xff\x7f", b"\x01\0"])
        elif rng.random() < 0.5:
            del changed[place : place + int(rng.integers(1, 64))]
        else:
            changed[place:place] = rng.bytes(int(rng.integers(1, 64)))
    return bytes(changed)


def hold_against(
    whole: Mapping[str, bytes], count: int, seed: int, prefix: int = 132, mended: Callable[[bytes], bytes] | None = None
) -> tuple[int, int]:
    """Reads `count` mutations of the files in turn and gives how many were answered and refused.

    `mended` is applied to every other one (checksums that would give the change away). Fails where anything but a
    DataError that names the file comes, where one takes the processor twice `SECONDS` or the memory grows by `GROWTH`.
    """
    rng, names = np.random.default_rng(seed), sorted(whole)
    process, answered, refused, slowest, before = psutil.Process(), 0, 0, 0.0, 0
    for number in range(count):
        name = names[number % len(names)]
        data, called = mutated(whole[name], rng, prefix), f"{number} {name}"
        if mended is not None and rng.random() < 0.5:
            data = mended(data)
        if number == min(50, count // 2):
            before = process.memory_info().rss
        start = time.process_time()
        try:
            gray = decode_scan(data, called).gray
            answered += 1
            assert gray.dtype == np.uint8 and gray.ndim == 2
        except DataError as error:
            refused += 1
            assert called in str(error) and error.remedy
        slowest = max(slowest, time.process_time() - start)
    assert slowest < 2 * SECONDS
    assert process.memory_info().rss - before < GROWTH
    return answered, refused
