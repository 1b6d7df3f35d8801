"""What a killed worker costs: the requests that it had been sent, and none beside them; and how soon another answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil

from pipeline.cli.bench.service.endurance import ALLOWED, ANSWERED_ALL_THE_SAME
from pipeline.cli.bench.service.load import Running, ServiceEndedError, form, load, service
from pipeline.cli.bench.service.speed import SINGLE, pictures
from pipeline.inference.given_bundle import shipped_bundles

CLIENTS, WORKERS = 6, 2
SECONDS_BEFORE, SECONDS_TO_JOIN = 2.0, 60.0


def kill_worker(running: Running, bodies: Sequence[bytes], seconds: float, clients: int = CLIENTS) -> dict:
    """One of several workers is killed under load: a row.

    own: requests that were lost on connections that it had accepted, at most one each. others: lost ones beside those. back_s:
    until the worker in its place takes requests, its models ready. failed: statuses beside 200 and 503.
    """
    before = {each.pid for each in running.workers()}
    with ThreadPoolExecutor(1) as beside:
        loading = beside.submit(load, running.address, "/predict", bodies, clients, seconds=seconds)
        time.sleep(SECONDS_BEFORE)
        killed, ports = _kill(running.workers()[0])
        began = time.perf_counter()
        while not (joined := {line["process"] for line in running.told("ready")} - before):
            if running.process.poll() is not None or time.perf_counter() - began > SECONDS_TO_JOIN:
                told = "No worker took the place of the killed one."
                raise ServiceEndedError(told, "Start serve --workers 2: its log says why.")
            time.sleep(0.02)
        back = time.perf_counter() - began
        replies = loading.result()
    lost = [reply for reply in replies if reply.status == 0]
    own = [reply for reply in lost if reply.port in ports]
    answered = [reply.seconds for reply in replies if reply.status == 200]
    return {
        "name": "killed worker", "reference": "", "ratio": None, "median_ms": 1000 * float(np.median(answered)),
        "n": len(replies), "accepted": len(answered),
        "own": len(own), "others": len(lost) - len(own), "connections": len(ports), "back_s": back,
        "other_statuses": sorted({reply.status for reply in replies} - {0, *ALLOWED}),
        "answered_meanwhile": sum(reply.status == 200 and SECONDS_BEFORE < reply.at < SECONDS_BEFORE + back for reply in replies),
        "killed": killed, "joined": sorted(joined),
    }  # fmt: skip


def _kill(worker: psutil.Process) -> tuple[int, set[int]]:
    """Its process, and the clients' ends of the connections that it had accepted: it is stopped first, and accepts no more."""
    worker.suspend()
    ports = {each.raddr.port for each in worker.net_connections("tcp") if each.raddr}
    worker.kill()
    return worker.pid, ports


def bench_killed(minutes: float) -> list[dict]:
    """`kill_worker` of two that serve the default bundle."""
    bodies = [form([("file", xray)], ANSWERED_ALL_THE_SAME) for xray, _ in pictures(8)]
    with service("--workers", str(WORKERS), "--bundles", str(shipped_bundles()[SINGLE])) as running:
        return [kill_worker(running, bodies, 60 * minutes)]
