"""How fast the service is: throughput, a pair, and its start, each beside the same work in this process."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import cycle, islice
from statistics import median

import psutil

from pipeline.cli.bench.service.load import ENTRY, Client, Running, form, load, service
from pipeline.data.phantom import make_patient
from pipeline.data.reading.scan_reader import decode_scan
from pipeline.engine.errors import DataError
from pipeline.inference.bundle import MANIFEST_FILE, Manifest
from pipeline.inference.given_bundle import open_bundle, shipped_bundles
from pipeline.inference.opened_bundle import OpenedBundle
from pipeline.inference.pictures import png_bytes

SINGLE, PAIR = "pneumonia_binary", "respiratory_mtl"
# What starting cannot do without, one after another: the libraries, and each bundle opened and asked once.
OPENING = (
    "import sys, fastapi, uvicorn; from pathlib import Path; from pipeline.service.models import open_models; "
    "[open_models([Path(path)]) for path in sys.argv[1:]]"
)
MEGABYTE = 1 << 20
FILES_A_BATCH = 16


def pictures(count: int) -> list[tuple[bytes, bytes]]:
    """X-ray and CT slice of generated patients, as PNG."""
    patients = [make_patient(seed, "covid" if seed % 2 else "normal") for seed in range(count)]
    return [(png_bytes(each.xray), png_bytes(each.ct)) for each in patients]


def bench_serve(repeats: int = 7, patients: int = 8) -> list[dict]:
    """Rows: throughput of single images and of batches, the time of a pair, and from start to ready. Taken in turns.

    processor_ratio: the same ratio by the processor's time, of which the clients' is no part. worker_mb, decoder_mb: what each
    process holds after that, libraries too.
    """
    known = shipped_bundles()
    pairs = pictures(patients)
    xrays = [xray for xray, _ in pairs]
    single, pair = open_bundle(known[SINGLE]), open_bundle(known[PAIR])
    bundles = [word for folder in known.values() if (folder / MANIFEST_FILE).is_file() for word in ("--bundles", str(folder))]
    with service(*bundles) as running:
        client = Client(running.address)
        bodies = [form([("file", xray)]) for xray in xrays]
        batch = form([("files", xray) for xray in (xrays * FILES_A_BATCH)[:FILES_A_BATCH]])
        paired = form([("xray", pairs[0][0]), ("ct", pairs[0][1])])

        def alone(count: int) -> None:
            for xray in islice(cycle(xrays), count):
                _ask(single, image=xray)

        rows = [
            _row(running, "serve, images one a request", "the same bundle in this process, one after another", patients,
                 lambda: load(running.address, "/predict", bodies, 2, count=patients), lambda: alone(patients), repeats),
            _row(running, "serve, batches", "the same bundle in this process, one after another", FILES_A_BATCH,
                 lambda: client.post("/predict/batch", batch), lambda: alone(FILES_A_BATCH), repeats),
            _row(running, "serve, a pair", "the same pair in this process", 1, lambda: client.post("/predict", paired),
                 lambda: _ask(pair, xray=pairs[0][0], ct=pairs[0][1]), 3 * repeats),
        ]  # fmt: skip
        held = {"worker_mb": _megabytes(running.workers()), "decoder_mb": _megabytes(running.decoders())}
    return [*rows, _start(bundles, min(repeats, 3)) | held]


def _megabytes(processes: list[psutil.Process]) -> list[int]:
    return [round(each.memory_info().rss / MEGABYTE) for each in processes]


def _ask(opened: OpenedBundle[Manifest], **scans: bytes) -> None:
    """Decode and ask. What the gate says of generated scans does not matter; that it was asked does."""
    with contextlib.suppress(DataError):
        opened.answer(**{door: decode_scan(content, "scan.png") for door, content in scans.items()})


def _row(
    running: Running, name: str, reference: str, count: int, ours: Callable[[], object], theirs: Callable[[], object],
    repeats: int,
) -> dict:  # fmt: skip
    """Both in turns; the first turn warms. ratio: how many times as fast as the reference."""
    taken: list[tuple[float, ...]] = []
    for turn in range(repeats + 1):
        before = running.processor_s()
        mine = _seconds(ours) / count
        spent, here = (running.processor_s() - before) / count, time.process_time()
        other = _seconds(theirs) / count
        if turn:
            taken.append((mine, other, spent, (time.process_time() - here) / count))
    mine_s, other_s, spent_s, here_s = zip(*taken, strict=True)
    ratio = median(other / mine for mine, other in zip(mine_s, other_s, strict=True))
    return {
        "name": name, "reference": reference, "ratio": ratio, "median_ms": 1000 * median(mine_s),
        "reference_ms": 1000 * median(other_s), "n": repeats, "processor_ratio": round(sum(here_s) / sum(spent_s), 2),
    }  # fmt: skip


def _start(bundles: list[str], repeats: int) -> dict:
    """From the start of the process to readiness. processor_s: what it and its decoders have spent until then."""
    taken, spent, words = [], [], [sys.executable, "-c", OPENING, *bundles[1::2]]
    for _ in range(repeats):
        with service(*bundles) as running:
            spent.append(running.processor_s())
        taken.append((running.start_s, _seconds(lambda: subprocess.run(words, check=True, cwd=ENTRY.parent))))
    mine, other = (1000 * median(column) for column in zip(*taken, strict=True))
    return {
        "name": "serve, start to ready", "reference": "a process that opens the same bundles one after another",
        "ratio": other / mine, "median_ms": mine, "reference_ms": other, "n": repeats, "processor_s": round(median(spent), 2),
    }  # fmt: skip


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
